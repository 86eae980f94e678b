from __future__ import annotations

import pytest

from agent.core.whereabouts import Whereabouts

HOME = Whereabouts("43:1", "nfs4 nas:/drop /in")


@pytest.mark.parametrize(
    ("now", "at_a_start", "while_it_runs", "after_another"),
    [
        (HOME, True, True, True),
        (Whereabouts("43:1", "nfs4 other:/drop /in"), True, True, True),  # renamed, bound elsewhere: the very folder
        (Whereabouts("51:1", HOME.place), True, True, True),  # mounted anew
        (Whereabouts("51:7", HOME.place), True, True, True),
        (Whereabouts("43:7", HOME.place), True, False, True),  # made anew, or mounted anew with the number of before
        (Whereabouts("43:0", "nfs4 other:/drop /in"), True, True, True),  # its inode does not last
        (Whereabouts("8:77", "ext4 /dev/sda1 /mnt/in"), False, False, False),  # the empty mount point
        (Whereabouts("51:1", "nfs4 other:/drop /in"), False, False, False),
        (Whereabouts("51:1", ""), False, False, False),
    ],
)
def test_which_folder_it_is(now: Whereabouts, at_a_start: bool, while_it_runs: bool, after_another: bool) -> None:
    assert now.is_of_last_time(HOME) == at_a_start
    assert now.is_back(HOME, was_elsewhere=False) == while_it_runs
    assert now.is_back(HOME, was_elsewhere=True) == after_another


def test_a_first_run_has_no_other_folder_to_know() -> None:
    assert HOME.is_of_last_time(Whereabouts("", ""))
    assert HOME.is_back(Whereabouts("", ""), was_elsewhere=False)


def test_a_ledger_of_before_knows_the_numbers_alone() -> None:
    assert HOME.is_of_last_time(Whereabouts("43:1", ""))
    assert not HOME.is_of_last_time(Whereabouts("51:1", ""))
