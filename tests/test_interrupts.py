from __future__ import annotations

import signal
import threading

import pytest

from xlembed.interrupts import stop_asked


def test_the_first_is_noted_and_the_second_interrupts(press, capsys):
    with pytest.raises(KeyboardInterrupt), stop_asked("stopping soon") as asked:
        assert not asked()
        press()
        assert asked()
        press()
    assert capsys.readouterr().err == "stopping soon\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_comes_within_a_finaliser_is_not_lost(press):
    class Finalised:
        def __del__(self) -> None:
            press()

    with stop_asked() as asked:
        Finalised()
        assert asked()


def test_where_it_is_ignored_it_stays_so(press):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_asked() as asked:
        press()
        assert not asked() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_other_threads_have_no_say(press):
    seen = []

    def work() -> None:
        with stop_asked() as asked:
            seen.append((asked(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.default_int_handler)]
