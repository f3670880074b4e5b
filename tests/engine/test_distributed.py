"""What rank 0 tells the others, whenever its work ends; the collectives themselves run in tests/distributed."""
import time

import pytest

from ppcls_ise.engine import distributed


@pytest.mark.parametrize("seconds", [0, 0.07])
def test_the_others_always_hear_that_rank_0_is_done_exactly_once(monkeypatch, seconds):
    class Prompt(distributed.threading.Thread):
        """Ends before its starter looks, as on a busy machine."""

        def start(self):
            super().start()
            if not seconds:
                self.join()

    flags = []
    monkeypatch.setattr(distributed, "HEARTBEAT", 0.02)
    monkeypatch.setattr(distributed.threading, "Thread", Prompt)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(distributed.dist, "broadcast_object_list", lambda outcome, src: None)
    monkeypatch.setattr(distributed, "_is_done", lambda done: flags.append(done) or done)
    assert distributed.on_first_process(lambda: time.sleep(seconds) or 7) == 7
    assert flags[-1] is True and flags.count(True) == 1 and (len(flags) > 1) == bool(seconds)
