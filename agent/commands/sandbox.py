"""`playment-agent sandbox`: the sandbox Playment alone, for one's own tests."""

from __future__ import annotations

import contextlib
import random
import signal

import click

from agent.sandbox import Faults, Sandbox
from agent.sandbox.rules import NOT_FETCHED, TRY_LATER
from agent.service.signals import Stops

_LIKELY = click.FloatRange(0, 1)


@click.command(short_help="Run a Playment on loopback, to rehearse with.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--api-key", default="sandbox-key", show_default=True, help="The key it accepts.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait before every answer.")
@click.option(
    "--lose-replies", type=_LIKELY, default=0.0, metavar="P", help="Make the job, then close without a reply."
)
@click.option("--errors-before", type=_LIKELY, default=0.0, metavar="P", help="Answer 500 and make nothing.")
@click.option("--errors-after", type=_LIKELY, default=0.0, metavar="P", help="Make the job, then answer 500.")
@click.option("--rate-limit", type=_LIKELY, default=0.0, metavar="P", help="Answer 429 with Retry-After.")
@click.option("--retry-after", type=click.IntRange(0), default=1, metavar="SECONDS", help="What a 429 asks for.")
@click.option("--try-later", type=_LIKELY, default=0.0, metavar="P", help=f"Answer {TRY_LATER}.")
@click.option("--not-fetched", type=_LIKELY, default=0.0, metavar="P", help=f"Answer {NOT_FETCHED}.")
@click.option("--fail-later", type=_LIKELY, default=0.0, metavar="P", help="Make the job, and have it FAILED then.")
@click.option(
    "--complete-after", type=click.FloatRange(0), default=None, metavar="SECONDS", help="Have jobs annotated so soon."
)
@click.option("--seed", type=int, default=None, metavar="N", help="Repeat a run's ids and faults.")
@click.option("--fetch/--no-fetch", default=False, help="Read each job's files while it is created.")
def sandbox(
    *,
    port: int,
    api_key: str,
    latency: float,
    lose_replies: float,
    errors_before: float,
    errors_after: float,
    rate_limit: float,
    retry_after: int,
    try_later: float,
    not_fetched: float,
    fail_later: float,
    complete_after: float | None,
    seed: int | None,
    fetch: bool,
) -> None:
    """Run a Playment on loopback until it is interrupted, then say what it was asked.

    It follows the vendor's pages: both editions, every code. P is a likelihood from 0 to 1, for each job's creation.

    Example: playment-agent sandbox --port 8099 --lose-replies 0.3
    """
    stops = Stops((signal.SIGINT, signal.SIGTERM))
    faults = Faults(
        lose_reply=lose_replies,
        error_before=errors_before,
        error_after=errors_after,
        rate_limit=rate_limit,
        retry_after=retry_after,
        try_later=try_later,
        not_fetched=not_fetched,
        fail_later=fail_later,
    )
    # Ids and faults of a rehearsal are no secrets.
    running = Sandbox(
        rng=random.Random(seed),  # noqa: S311
        api_key=api_key,
        port=port,
        latency=latency,
        faults=faults,
        fetch=fetch,
    )
    running.complete_after = complete_after
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(running)
        except OSError as error:
            reason = f"cannot listen on 127.0.0.1:{port}: {error.strerror}. Choose another --port."
            raise click.ClickException(reason) from None
        click.echo("A sandbox Playment is running. In another shell, or in .env:")
        click.echo(f"PLAYMENT_BASE_URL={running.url}\nPLAYMENT_API_KEY={api_key}")
        click.echo("Any PLAYMENT_PROJECT_ID and PLAYMENT_TAG will do. Ctrl-C stops it.")
        stops.wait()
    jobs = running.jobs
    click.echo(f"\n{len(jobs)} jobs with {sum(job.frames for job in jobs)} frames.")
    for call, count in sorted(running.requests.items()):
        click.echo(f"{call}: {count}")
