"""What processes tell each other while one of them works; the collectives themselves run in tests/distributed."""
import time

import pytest

from ppcls_ise.distributed import processes as distributed


@pytest.mark.parametrize("seconds", [0, 0.07])
def test_the_others_hear_that_the_work_is_done_exactly_once(monkeypatch, seconds):
    class Prompt(distributed.threading.Thread):
        """Ends before its starter looks, as on a busy machine."""

        def start(self):
            super().start()
            if not seconds:
                self.join()

    signs = []
    monkeypatch.setattr(distributed, "HEARTBEAT", 0.02)
    monkeypatch.setattr(distributed.threading, "Thread", Prompt)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda sign, op: signs.append(int(sign.item())))
    monkeypatch.setattr(distributed, "raise_everywhere", lambda error: None)
    monkeypatch.setattr(distributed.dist, "broadcast_object_list", lambda outcome, src: None)
    assert distributed.on_first_process(lambda: time.sleep(seconds) or 7) == 7
    assert signs[-1] == 1 and signs.count(1) == 1 and (len(signs) > 1) == bool(seconds)
