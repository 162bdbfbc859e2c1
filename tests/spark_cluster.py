"""A real Spark cluster on this machine: a master, and executors that are processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyspark

ROOT = Path(__file__).resolve().parents[1]
#: Short work on small heaps: compiling less and one collector thread start an executor sooner.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def _home(folder: Path) -> Path:
    """Make a home of links: the cluster writes its logs there, not into the installed package."""
    home = folder / "home"
    home.mkdir()
    for path in Path(pyspark.__file__).parent.iterdir():
        if path.name != "work":
            (home / path.name).symlink_to(path)
    return home


@contextmanager
def session(
    folder: Path, master: str = "local-cluster[2,1,1024]", java: str = JAVA, **options: str
) -> Iterator[Any]:
    """Open a session on loopback; `options` are Spark's, with ``_`` for ``.``."""
    from pyspark.sql import SparkSession

    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": java,
        "spark.executor.memory": "1g",
        "spark.executor.extraJavaOptions": java,
        "spark.executorEnv.PYTHONPATH": path,
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        # a busy machine is no dead executor
        "spark.network.timeout": "600s",
        **{f"spark.{name.replace('_', '.')}": value for name, value in options.items()},
    }
    environment = {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": path,
        "SPARK_HOME": str(_home(folder)),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with mock.patch.dict(os.environ, environment):
        builder = SparkSession.builder.master(master).appName("customer_nlp")
        found = builder.config(map=settings).getOrCreate()
        found.sparkContext.setLogLevel("ERROR")
        try:
            yield found
        finally:
            found.stop()
