from __future__ import annotations

import io
import sys
import threading

from xlembed import progress


def test_say_goes_to_standard_error(capsys):
    progress.say("news")
    assert capsys.readouterr() == ("", "news\n")


def test_plain_lines_off_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress("training", 3) as advance:
        advance()
        advance(2, "loss 0.5")
    assert capsys.readouterr() == ("", "training: 1 of 3\ntraining: 3 of 3 loss 0.5\n")


def test_no_line_before_its_time(capsys):
    with progress.progress("training", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress("training", 2) as advance:
        advance(2, "loss 0.5 [red]\x1b[2J")
    assert "training loss 0.5 [red]\\x1b[2J" in terminal.getvalue() and "2/2" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_news_of_a_thread_go_to_who_listens_and_to_nobody_else(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    heard, other = [], threading.Thread(target=progress.say, args=["from elsewhere"])
    with progress.heard_by(heard.append):
        progress.say("news")
        with progress.progress("training", 3) as advance:
            advance(3)
        other.start()
        other.join()
    progress.say("later")
    assert heard == ["news", "training: 3 of 3"], "plain lines, and no bar"
    assert capsys.readouterr() == ("", "from elsewhere\nlater\n")
