"""Probes: what an encoder knows of two languages before it is fine-tuned, and where a fine-tuned one breaks."""
