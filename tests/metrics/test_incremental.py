"""What is kept from scrape to scrape gives byte for byte the text that prometheus_client writes from scratch."""

import asyncio
import gzip
import math
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.samples import Exemplar

from exporter.api.errors import REASONS
from exporter.api.requests import Endpoint, RequestCounts
from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK, Example, Histogram
from exporter.metrics import blocks
from exporter.metrics.exposition import Answer, Exposition, Scrape
from exporter.metrics.families import families
from exporter.metrics.negotiation import choose_format
from exporter.metrics.samples import Shape
from exporter.metrics.table import METRICS
from exporter.metrics.templates import OF_ENVIRONMENTS, Collected, Recurring
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.snapshot import Queue, Snapshot, Stats
from exporter.tracking.view import AccountView, EnvironmentIdentity, EnvironmentView, FleetView
from tests.metrics.views import RELOAD, account, environment, example, fleet, histogram, lifecycle, queue, snapshot
from tests.support.randomness import FACTOR

ACCEPTED = {
    "text": "text/plain; version=0.0.4",
    **{
        f"{name}, {escaping}": f"{media_type}; version=1.0.0; escaping={escaping}"
        for name, media_type in (("text 1.0.0", "text/plain"), ("OpenMetrics", "application/openmetrics-text"))
        for escaping in ("underscores", "dots", "values", "allow-utf-8")
    },
    "OpenMetrics": "application/openmetrics-text",
}
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
HISTOGRAMS = [spec.name for spec in METRICS if "histogram" in spec.type]


async def whole(answer: Answer) -> bytes:
    """The body of an answer."""
    return answer.body if isinstance(answer.body, bytes) else b"".join([piece async for piece in answer.body])


def encoded(exposition: Exposition, view: FleetView, scrape: Scrape, shape: Shape | None = None) -> bytes:
    """The body of an answer, without compression."""

    async def answer() -> bytes:
        got = await exposition.encode(view, scrape, reload=RELOAD, shape=shape)
        body = await whole(got)
        if got.headers.get("Content-Encoding") != "gzip":
            return body
        assert isinstance(got.body, bytes) or got.headers["Content-Length"] == str(len(body))
        return gzip.decompress(body)

    return asyncio.run(answer())


def made_anew(view: FleetView, accept: str, shape: Shape | None = None) -> bytes:
    """The reference, without what is the process's own."""
    encoder, _ = choose_format(accept)
    return encoder(Collected(families(view, RELOAD, None, shape))).removesuffix(b"# EOF\n")


def assert_same(body: bytes, reference: bytes) -> None:
    own = body[: len(reference)]
    assert own == reference
    for line in body[len(reference) :].splitlines():
        words = line.removeprefix(b"# HELP ").removeprefix(b"# TYPE ").removeprefix(b"U__")
        assert words.startswith((b"process_", b"python_", b"# EOF"))


TEXTS = st.text(max_size=12) | st.sampled_from(["a%sb", "a\\", '"', "\ue000\ue001", "\n", "x" * 300, "\ud83d"])
NUMBERS = st.floats(0, 1e12) | st.integers(0, 10**12)
COUNTS = st.integers(0, 100) | st.sampled_from([999_999, 1_000_000, 10**9])
EXAMPLES = st.builds(
    Example,
    st.dictionaries(st.sampled_from(["work_id", "session_id"]), TEXTS, max_size=2),
    NUMBERS,
    st.floats(0, 2e9) | st.integers(0, 2 * 10**9),
)


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    buckets = len(SECONDS_TO_A_WEEK) + 1
    counts = draw(st.just([0] * buckets) | st.lists(COUNTS, min_size=buckets, max_size=buckets))
    examples = draw(st.dictionaries(st.integers(0, buckets - 1), EXAMPLES, max_size=3))
    return Histogram(counts=counts, sum=draw(st.floats(0, 1e9)), examples=examples)


@st.composite
def environments(draw: st.DrawFn, keys: int) -> EnvironmentView:
    states = st.sampled_from(["queued", "starting", "active", "stopping", "stopped"]) | TEXTS
    counts = st.dictionaries(st.tuples(states, st.tuples(*[TEXTS] * keys)), COUNTS, max_size=4)
    optional = st.none() | NUMBERS
    queues = st.builds(
        Queue,
        counts,
        st.dictionaries(st.sampled_from(["queued", "active"]), NUMBERS),
        optional,
        histograms(),
        NUMBERS,
        optional,
        histograms(),
    )
    statistics = st.builds(Stats, st.none() | COUNTS, st.none() | COUNTS, st.none() | COUNTS, optional, NUMBERS)
    snapshots = st.builds(Snapshot, read_at=NUMBERS, queue=st.none() | queues, stats=st.none() | statistics)
    lifecycles = st.builds(Lifecycle, COUNTS, COUNTS, COUNTS, COUNTS, *[histograms()] * 4)
    return EnvironmentView(
        EnvironmentIdentity(draw(TEXTS), draw(TEXTS), draw(TEXTS)),
        up=draw(st.booleans()),
        history_complete=draw(st.booleans()),
        snapshot=draw(st.none() | snapshots),
        lifecycle=draw(st.none() | lifecycles),
        refresh_duration=draw(optional),
        refresh_requests=draw(st.none() | COUNTS),
        failures=dict.fromkeys(REASONS, draw(COUNTS)),
        error=None,
        progress=None,
        corrections=draw(COUNTS),
        unreadable=draw(COUNTS),
        disputed=draw(st.booleans()),
    )


@st.composite
def accounts(draw: st.DrawFn) -> AccountView:
    buckets = len(REQUEST_SECONDS) + 1
    counts = st.lists(COUNTS, min_size=buckets, max_size=buckets)
    requests = RequestCounts(paced_seconds=draw(NUMBERS))
    for endpoint in draw(st.sets(st.sampled_from(ENDPOINTS))):
        requests.requests[endpoint, draw(TEXTS)] = draw(COUNTS)
        requests.durations[endpoint] = Histogram(REQUEST_SECONDS, draw(counts), draw(NUMBERS))
    skew = draw(st.none() | st.floats(-1e6, 1e6))
    return account(name=draw(TEXTS), requests=requests, clock_skew=skew, environments=draw(COUNTS))


BOUNDS = st.none() | st.lists(st.sampled_from(SECONDS_TO_A_WEEK), unique=True, max_size=4).map(sorted).map(tuple)
SHAPED = st.dictionaries(st.sampled_from(HISTOGRAMS), BOUNDS, max_size=3)


@settings(max_examples=60 * FACTOR, deadline=None)
@given(st.data(), st.sampled_from(["", "job", "environment_a"]), SHAPED, st.sampled_from(sorted(ACCEPTED.values())))
def test_any_sequence_of_views_is_written_as_prometheus_client_writes_it(
    data: st.DataObject, key: str, chosen: Mapping[str, tuple[float, ...] | None], accept: str
) -> None:
    keys = (key,) if key else ()
    known = data.draw(st.lists(environments(len(keys)), min_size=1, max_size=3))
    known.append(replace(data.draw(environments(len(keys))), environment=known[0].environment))
    shape = Shape(keys, chosen)
    exposition = Exposition()
    for _ in range(3):
        owners = tuple(data.draw(st.lists(accounts(), max_size=2)))
        view = FleetView(tuple(data.draw(st.lists(st.sampled_from(known), max_size=3))), owners, keys)
        assert_same(encoded(exposition, view, Scrape(accept), shape), made_anew(view, accept, shape))


@pytest.mark.parametrize("accept", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_every_format_is_written_as_prometheus_client_writes_it(accept: str) -> None:
    view = fleet(environment("gpu"), environment("batch", "env_b", up=False, snapshot=None), keys=())
    assert_same(encoded(Exposition(), view, Scrape(accept)), made_anew(view, accept))


CHANGES: dict[str, dict[str, Any]] = {
    "the same": {},
    "down": {"up": False},
    "a failure more": {"failures": dict.fromkeys(REASONS, 7)},
    "no snapshot": {"snapshot": None},
    "another queue": {"snapshot": snapshot(queue=queue(queue_age=histogram(3.0)))},
    "another example": {"lifecycle": lifecycle(example(work_id="work_other"))},
    "another sum": {"lifecycle": replace(lifecycle(example()), run=replace(histogram(7.0), sum=7.5))},
    "no lifecycle": {"lifecycle": None},
    "corrected": {"corrections": 1},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_shows_in_the_next_scrape_and_when_it_goes_back(change: dict[str, Any]) -> None:
    exposition = Exposition()
    accept = ACCEPTED["OpenMetrics"]
    for view in (fleet(), fleet(replace(environment(), **change)), fleet()):
        assert_same(encoded(exposition, view, Scrape(accept)), made_anew(view, accept))


def test_a_renamed_environment_has_its_new_name_alone() -> None:
    exposition = Exposition()
    encoded(exposition, fleet(environment("former name")), Scrape())
    assert b"former name" not in encoded(exposition, fleet(environment("current name")), Scrape())


def test_what_has_not_changed_is_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    block = blocks._Writer.block

    def counted(writer: blocks._Writer) -> blocks.Block:
        made = block(writer)
        rendered.append(next(name for name in ("a", "b") if f'environment="{name}"'.encode() in made[0]))
        return made

    monkeypatch.setattr(blocks._Writer, "block", counted)
    exposition = Exposition()
    unchanged = environment("b", "env_b")
    for changing in (environment("a"), environment("a", up=False), environment("a", up=False)):
        encoded(exposition, fleet(changing, replace(unchanged)), Scrape())
    assert rendered == ["a", "b", "a"]


def test_formats_that_write_our_names_alike_share_the_text() -> None:
    exposition = Exposition()
    view = fleet()
    for name in ("OpenMetrics", "OpenMetrics, allow-utf-8", "OpenMetrics, underscores", "text", "text 1.0.0, values"):
        encoded(exposition, view, Scrape(ACCEPTED[name]))
    assert len(exposition._blocks) == 2


def test_the_texts_of_few_formats_are_kept() -> None:
    exposition = Exposition()
    for accept in (*ACCEPTED.values(), *ACCEPTED.values()):
        assert_same(encoded(exposition, fleet(), Scrape(accept)), made_anew(fleet(), accept))
        assert len(exposition._blocks) <= 2


def test_an_environment_that_nobody_asks_for_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(blocks, "time", SimpleNamespace(monotonic=lambda: moment))
    exposition = Exposition()
    encoded(exposition, fleet(environment("a", "env_a")), Scrape())
    moment += blocks.KEPT_SECONDS + 1
    encoded(exposition, fleet(environment("b", "env_b")), Scrape())
    (texts,) = exposition._blocks.values()
    assert {identity.name for identity in texts._kept} == {"b"}


def test_scrapers_that_come_together_share_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    encodings: list[FleetView] = []
    body = Exposition._body

    async def counted(self: Exposition, *args: object, **options: object) -> object:
        encodings.append(view)
        return await body(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Exposition, "_body", counted)
    view = fleet(*(environment(f"e{number}", f"env_{number}") for number in range(50)))

    async def together() -> set[bytes]:
        exposition = Exposition()
        scrape = Scrape(ACCEPTED["OpenMetrics"], "gzip")
        answers = await asyncio.gather(*(exposition.encode(replace(view), scrape) for _ in range(50)))
        assert exposition._under_way == {}
        return {await whole(answer) for answer in answers}

    (body_of_all,) = asyncio.run(together())
    assert len(encodings) == 1
    assert_same(gzip.decompress(body_of_all), made_anew_without_reload(view))


def made_anew_without_reload(view: FleetView) -> bytes:
    encoder, _ = choose_format(ACCEPTED["OpenMetrics"])
    return encoder(Collected(families(view))).removesuffix(b"# EOF\n")


def test_a_scraper_that_comes_later_with_other_data_gets_those() -> None:
    async def both() -> list[bytes]:
        exposition = Exposition()
        views = [fleet(environment(corrections=number)) for number in (1, 2)]
        answers = await asyncio.gather(*(exposition.encode(view, Scrape()) for view in views))
        return [await whole(answer) for answer in answers]

    first, second = asyncio.run(both())
    assert b'corrections_total{environment="gpu-workers",environment_id="%s"} 1.0' % b"env_" not in first
    assert b"} 1.0\n" in next(line + b"\n" for line in first.splitlines() if line.startswith(b"qoder_work_corrections"))
    assert b"} 2.0\n" in next(
        line + b"\n" for line in second.splitlines() if line.startswith(b"qoder_work_corrections")
    )


def test_a_scraper_that_leaves_takes_the_encoding_from_nobody() -> None:
    async def leaving() -> bytes:
        exposition = Exposition()
        view = fleet(*(environment(f"e{number}", f"env_{number}") for number in range(20)))
        first = asyncio.create_task(exposition.encode(view, Scrape()))
        await asyncio.sleep(0)
        second = asyncio.create_task(exposition.encode(view, Scrape()))
        await asyncio.sleep(0)
        first.cancel()
        return await whole(await second)

    assert b"e19" in asyncio.run(leaving())


@pytest.mark.parametrize("compressed", ["gzip", None])
def test_the_loop_goes_on_while_a_text_is_made(compressed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SLICE_SECONDS", 0.0)

    async def turns() -> int:
        taken = 0

        async def others() -> None:
            nonlocal taken
            while True:
                await asyncio.sleep(0)
                taken += 1

        other = asyncio.create_task(others())
        view = fleet(*(environment(f"e{number}", f"env_{number}") for number in range(60)))
        await Exposition().encode(view, Scrape(None, compressed))
        other.cancel()
        return taken

    assert asyncio.run(turns()) >= 60


def test_a_long_text_comes_in_chunks() -> None:
    async def sizes() -> list[int]:
        view = fleet(*(environment(f"e{number}", f"env_{number}") for number in range(100)))
        answer = await Exposition().encode(view, Scrape())
        assert not isinstance(answer.body, bytes)
        return [len(chunk) async for chunk in answer.body]

    found = asyncio.run(sizes())
    assert len(found) > 4
    assert max(found) < 2 * blocks.CHUNK_BYTES


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({"qoder_work_items"}, {"qoder_work_items"}),
        ({"qoder_work_run_seconds_bucket"}, {"qoder_work_run_seconds"}),
        ({"qoder_work_queue_age_seconds_gsum"}, {"qoder_work_queue_age_seconds"}),
        ({"qoder_work_created_total", "qoder_work_up"}, {"qoder_work_created", "qoder_work_up"}),
        ({"qoder_api_requests_total"}, {"qoder_api_requests"}),
        ({"qoder_api_requests"}, {"qoder_api_requests"}),
        ({"process_cpu_seconds_total"}, {"process_cpu_seconds"}),
        ({"python_info"}, {"python_info"}),
        ({"nothing"}, set()),
    ],
    ids=lambda names: " ".join(sorted(names)) or "none",
)
def test_a_scraper_gets_the_families_it_names(wanted: set[str], shown: set[str]) -> None:
    body = encoded(Exposition(), fleet(), Scrape(ACCEPTED["OpenMetrics"], None, frozenset(wanted))).decode()
    assert {line.split()[2] for line in body.splitlines() if line.startswith("# TYPE")} == shown
    assert body.endswith("# EOF\n")


def test_the_environments_families_come_first() -> None:
    assert METRICS[: len(OF_ENVIRONMENTS)] == OF_ENVIRONMENTS


def test_the_cost_of_the_last_encodings_is_known() -> None:
    exposition = Exposition()
    assert exposition.cost == 0
    encoded(exposition, fleet(), Scrape())
    assert exposition.cost > 0


def process(seconds: float, files: float, version: str = "3.11") -> list[Metric]:
    """Families as a process has them."""
    info = GaugeMetricFamily("python_info", '50 % of it, "as it is": 0.0', labels=["version", "implementation"])
    info.add_metric([version, 'C%sPython "\n'], 1.0)
    cpu = CounterMetricFamily("process_cpu_seconds", "Total. 0.0", seconds)
    collected = CounterMetricFamily("python_gc_objects_collected", "Objects", labels=["generation"])
    for generation in range(3):
        collected.add_metric([str(generation)], files * generation)
    return [info, cpu, collected]


@pytest.mark.parametrize("accept", ACCEPTED.values(), ids=ACCEPTED)
def test_what_recurs_is_what_prometheus_client_writes(accept: str) -> None:
    encoder, _ = choose_format(accept)
    recurring = Recurring(encoder)
    for families_ in (
        process(0.0, 0.0),
        process(1e9 + 0.5, math.inf),
        process(math.nan, -0.0),
        process(2.5, 3, version="3.12"),  # other labels
        process(2.5, 3, version="3.12")[1:],  # other families
        [],
    ):
        assert recurring.text(families_) == encoder(Collected(families_))


def test_families_that_recur_with_exemplars_keep_them() -> None:
    encoder, _ = choose_format(ACCEPTED["OpenMetrics"])
    recurring = Recurring(encoder)
    for work_id in ("work_1", "work_2"):
        without = Metric("seen", "Items", "counter")
        without.add_sample("seen_total", {}, 1.0)
        assert recurring.text([without]) == encoder(Collected([without]))
        family = Metric("seen", "Items", "counter")
        family.add_sample("seen_total", {}, 1.0, exemplar=Exemplar({"work_id": work_id}, 1.0))
        assert recurring.text([family]) == encoder(Collected([family]))
        assert work_id.encode() in recurring.text([family])
