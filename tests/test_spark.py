"""Spark: the same numbers as on one machine.

``SPARK_TEST_MASTER=local-cluster[2,1,1024]`` runs two executors, each a process of its own.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from customer_nlp import spark
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, MissingExtraError

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pyspark = pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("default")  # Spark's own

TEXTS = (
    "Where is my refund? I am fed up with this.",
    "We are sorry. Somebody will call you by noon tomorrow.",
    "Nobody called. If this goes on I will go elsewhere.",
    None,
    "Thank you, all sorted.",
)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory):
    """A session of two workers, in a zone that is not UTC."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        found = (
            SparkSession.builder.master(os.environ.get("SPARK_TEST_MASTER", "local[2]"))
            .config("spark.ui.enabled", "false")
            .config("spark.executor.memory", "1g")
            .config("spark.driver.memory", "512m")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
            .config("spark.sql.shuffle.partitions", "3")
            .config("spark.sql.session.timeZone", "America/New_York")
            .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
            .getOrCreate()
        )
        yield found
        found.stop()


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
    options = {"thread": "ticket", "now": now, "on_error": "skip"}
    scored = spark.score(_frame(session, data), **options)
    assert dict(scored.dtypes)["contacts"] == "bigint"
    found = {row["thread_id"]: row.asDict() for row in scored.collect()}
    assert found == {
        row["thread_id"]: row for row in analyzer.score_frame(pa.table(data), **options).to_pylist()
    }
    assert len(found) == 7


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


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r"customer_nlp\[spark\]"):
        spark.score(None)
