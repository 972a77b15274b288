import numpy as np

from netops.serving.engine.clock import NEVER, NetworkClock


def receive(clock, *pairs):
    codes, times = zip(*pairs, strict=True)
    return clock.observe(np.array(codes), np.array(times))


def test_one_clock_in_the_future_does_not_move_the_time_of_the_network():
    clock = NetworkClock(10, 60)
    for now in range(100, 200, 5):
        receive(clock, *[(code, now) for code in range(4)], (4, now + 10**6))
    assert clock.now == 195


def test_the_time_follows_once_half_of_the_devices_are_there():
    clock = NetworkClock(10, 60)
    receive(clock, *[(code, 100) for code in range(5)])
    receive(clock, (0, 10_000), (1, 10_000))
    clock.update_time()
    assert clock.now == 100
    receive(clock, (2, 10_000))
    clock.update_time()
    assert clock.now == 10_000


def test_a_first_sample_from_the_future_is_outvoted():
    clock = NetworkClock(10, 60)
    receive(clock, (0, 10**9))
    receive(clock, (1, 100))
    clock.update_time()
    assert clock.now == 100


def test_a_device_falls_silent_by_the_time_of_the_others_and_speaks_again():
    clock = NetworkClock(3, 60)
    for now in range(0, 60, 5):
        receive(clock, (0, now), (1, now))
    for now in range(60, 600, 5):
        receive(clock, (0, now))
    clock.update_time()
    assert clock.find_stale().tolist() == [1]
    assert clock.find_stale().tolist() == []
    assert receive(clock, (1, 600)).tolist() == [1]
    assert not clock.silent.any()


def test_a_device_whose_clock_is_behind_is_not_silent():
    clock = NetworkClock(4, 60)
    for now in range(0, 5000, 5):
        receive(clock, (0, now), (1, now), (2, now // 100))
        assert clock.find_stale().tolist() == []


def test_a_name_that_came_up_once_is_no_silent_device():
    clock = NetworkClock(4, 60)
    receive(clock, (2, 0))
    for now in range(0, 5000, 5):
        receive(clock, (0, now), (1, now))
        assert clock.find_stale().tolist() == []


def test_forgotten_devices_have_no_time():
    clock = NetworkClock(3, 60)
    receive(clock, (0, 5), (1, 9))
    clock.forget(np.array([0]))
    assert clock.newest[0] == NEVER
    clock.update_time()
    assert clock.now == 9
