"""Modules of tests are `tests.ROOM.test_x`, so that no installed package can be taken for one of them."""
