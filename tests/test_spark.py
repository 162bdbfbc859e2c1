"""Spark: the same numbers as on one machine, from executors that are processes of their own.

``SPARK_TEST_MASTER=local[2]`` is quicker: one process, where the two executors' tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest

from customer_nlp import spark
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, MissingExtraError

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyspark", reason="Spark needs pyspark: pip install customer_nlp[spark]")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java: no java on the PATH", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # Spark's own
MASTER = os.environ.get("SPARK_TEST_MASTER", "local-cluster[2,1,1024]")

TEXTS = (
    "Where is my refund? I am fed up with this.",
    "We are sorry. Somebody will call you by noon tomorrow.",
    "Nobody called. If this goes on I will go elsewhere.",
    None,
    "Thank you, all sorted.",
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory):
    """A session of two executors, in a zone that is not UTC."""
    import spark_cluster

    zone = {"sql_session_timeZone": "America/New_York", "sql_shuffle_partitions": "3"}
    with spark_cluster.session(tmp_path_factory.mktemp("spark"), MASTER, **zone) as found:
        yield found


def _messages(count: int) -> dict[str, list]:
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return {
        "ticket": [f"t{i % 7}" for i in range(count)],
        "body": [TEXTS[i % 5] for i in range(count)],
        "role": ["agent" if i % 5 == 1 else "user" for i in range(count)],
        "created": [start + timedelta(hours=i) for i in range(count)],
    }


def _frame(session, data: dict[str, list]):
    rows = list(zip(*data.values(), strict=True))
    schema = "ticket string, body string, role string, created timestamp"
    return session.createDataFrame(rows, schema).repartition(4, "created")


def test_rows_are_scored_as_on_one_machine(session, analyzer: Analyzer):
    data = _messages(40)
    scored = spark.score(_frame(session, data))
    assert dict(scored.dtypes)["frustration"] == "float"
    assert dict(scored.dtypes)["churn_risk_grade"] == "tinyint"
    expected = analyzer.score_frame(pa.table(data)).drop_columns(["created"]).to_pylist()
    found = [row.asDict() for row in scored.orderBy("created").drop("created").collect()]
    assert found == expected


def test_threads_are_scored_as_on_one_machine(session, analyzer: Analyzer):
    data = _messages(40)
    now = datetime(2026, 3, 5, tzinfo=UTC)
    holidays = "JP" if find_spec("holidays") else None
    options = {"thread": "ticket", "now": now, "on_error": "skip", "holidays": holidays}
    scored = spark.score(_frame(session, data), **options)
    assert dict(scored.dtypes)["contacts"] == "bigint"
    found = {row["thread_id"]: row.asDict() for row in scored.collect()}
    assert found == {
        row["thread_id"]: row for row in analyzer.score_frame(pa.table(data), **options).to_pylist()
    }
    assert len(found) == 7


@pytest.mark.skipif(not MASTER.startswith("local-cluster"), reason="one process holds all")
def test_each_executor_is_another_process_and_loads_the_model_once(session):
    def workers(batches: Iterable) -> Iterator:  # in here, so that it is sent whole
        first = spark.__dict__.setdefault("_first", [*spark._LOADED.values()])
        same = [*map(id, first)] == [*map(id, spark._LOADED.values())] and len(first) == 1
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"pid": [os.getpid()], "same": [same]})

    seen = []
    for _ in range(2):
        spark.score(_frame(session, _messages(40))).collect()
        asked = session.range(0, 8, numPartitions=8).mapInArrow(workers, "pid long, same boolean")
        seen.append({tuple(row) for row in asked.collect()})
    context = session.sparkContext
    executors = context._jsc.sc().statusTracker().getExecutorInfos()
    assert len(executors) == 3  # the driver is one of them
    assert seen[0] == seen[1]
    assert len({pid for pid, _ in seen[0]} - {os.getpid()}) == 2
    assert all(same for _, same in seen[0])


def test_a_bad_row_stops_the_job_unless_told_otherwise(session):
    scored = spark.score(_frame(session, _messages(5)), thread="ticket")
    with pytest.raises(Exception, match="no text"):
        scored.collect()


def test_wrong_columns_are_told_before_anything_runs(session):
    frame = _frame(session, _messages(1))
    with pytest.raises(InvalidRecordError, match="has 0 of the 4 columns"):
        spark.score(frame, thread="gone")
    with pytest.raises(InvalidRecordError, match="names that are added: billing"):
        spark.score(frame.withColumnRenamed("role", "billing"))
    with pytest.raises(InvalidRecordError, match="callable would run on the executors"):
        spark.score(frame, on_error=print)


def test_an_unknown_country_is_told_before_anything_runs():
    pytest.importorskip("holidays")
    with pytest.raises(InvalidRecordError, match="country code"):
        spark.score(None, thread="ticket", holidays="Atlantis")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r"customer_nlp\[spark\]"):
        spark.score(None)
