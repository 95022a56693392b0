"""A call that does not return is broken off, also where it catches every Exception; a timer of someone else's stays."""

import signal
import threading

import pytest

from verify.oracle.time_alarm import TimeUp, alarm

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")


def endless():
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def test_a_loop_without_an_end_is_broken_off():
    with pytest.raises(TimeUp), alarm(0.01):
        endless()


def test_it_waits_until_it_may():
    looks = []

    def third_time():
        looks.append(1)
        return len(looks) == 3

    with pytest.raises(TimeUp), alarm(0.01, third_time):
        endless()
    assert len(looks) == 3


def test_what_ends_in_time_leaves_no_timer():
    before = signal.getsignal(signal.SIGALRM)
    with alarm(1000):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("seconds", [float("inf")])
def test_infinitely_many_seconds_set_no_timer(seconds):
    with alarm(seconds):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_elsewhere_than_in_the_main_thread_nothing_is_set():
    timers = []

    def work():
        with alarm(1000):
            timers.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert timers == [(0.0, 0.0)]


def test_a_timer_that_is_set_is_left_alone():
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        with alarm(0.001):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
