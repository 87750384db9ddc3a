"""Language adapters for MAD-X: trained by masked words of one language, in an encoder that stays as it is.

Pfeiffer et al. 2020, "MAD-X", section 3.1. Where the encoder's folder brings no head for masked words the head is new
and trains along, and is thrown away.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparisons.adapters import save_stack, with_adapters
from comparisons.encoders import FoundEncoder
from comparisons.layers import head_parameters
from comparisons.pretraining import Reader, load_masked_lm, masked_inputs, masked_perplexity, pretrain
from comparisons.pretraining_settings import PretrainSettings


def train_language_adapter(
    encoder: FoundEncoder,
    lang: str,
    train: Reader,
    dev: Reader | None,
    settings: PretrainSettings,
    reduction: int,
    out: Path,
) -> dict[str, Any]:
    """Train adapters of hidden size / `reduction` after every layer, write them to `out` (.safetensors).

    `train` and `dev` make corpora. Returns what the file says of itself, perplexities of `dev` before and after.
    """
    model, is_new_head = load_masked_lm(encoder, settings.seed)
    model.requires_grad_(False)
    adapters = with_adapters(model)
    adapters.add("lang", max(1, adapters.hidden // reduction))
    adapters.active = ["lang"]
    if is_new_head:
        words = model.get_input_embeddings().weight
        for parameter in head_parameters(model):
            parameter.requires_grad_(parameter is not words)
    inputs = masked_inputs(encoder, model, settings)
    corpora, held_out = train(inputs), dev(inputs) if dev else []
    before = masked_perplexity(model, inputs, held_out, settings) if held_out else None
    curve = pretrain(model, inputs, corpora, settings, checkpoint=out.with_suffix(".checkpoint"),
                     what=f"{encoder.name} adapter {lang}")  # fmt: skip
    after = masked_perplexity(model, inputs, held_out, settings) if held_out else None
    report = {
        "lang": lang,
        "encoder": {"name": encoder.name, "origin": encoder.origin, "new_head": is_new_head},
        "reduction": reduction,
        "n_parameters": sum(p.numel() for p in adapters.stacks["lang"].parameters()),
        "settings": asdict(settings),
        "n_inputs": sum(len(corpus) for corpus in corpora),
        "perplexity": {"before": before, "after": after},
        "losses": curve.points(),
        "seconds": curve.seconds,
    }
    save_stack(model, "lang", out, {"about": json.dumps(report)})
    out.with_suffix(".checkpoint").unlink(missing_ok=True)
    return report
