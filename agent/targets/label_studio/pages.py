"""A project's tasks, page by page, in the order in which they were made. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.targets.label_studio import queries
from agent.targets.label_studio.answers import bad_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.targets.label_studio.answers import Task
    from agent.targets.label_studio.queries import Filter

    Page = tuple[list[Task], int, int] | None

AT_ONCE: Final = 100


def pages(ask: Callable[[str], Page], project: int, *filters: Filter) -> Iterator[list[Task]]:
    """Yield the tasks that pass the filters, a page at a time; `ask` gives the page at an address.

    A page begins after the last task of the one before: what is made or removed meanwhile moves nothing. One that is
    too large to be read is asked for in smaller parts.
    """
    last, size = 0, AT_ONCE
    while True:
        page = ask(queries.address(project, (*filters, queries.after(last)), size))
        if page is None:
            if size == 1:
                raise bad_reply("a task is too large to be read")
            size = max(1, size // 4)
            continue
        found, count, until = page
        if count and until <= last:
            raise bad_reply("its pages go round in a circle")
        yield found
        if count < size:
            return
        last = until
