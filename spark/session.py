"""The Spark session of a job: only what its results depend on. Sizes and endpoints are the platform's."""

from __future__ import annotations

from pyspark.sql import SparkSession

REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Options of reads and writes hold vended credentials; Spark blanks the values of keys that match.
    "spark.redaction.regex": "(?i)secret|password|token|credential|access[.]?key",
}

SMALL = {
    # A curated table's log holds some hundreds of files: Delta's 50 tasks for it would take longer than they work.
    "spark.databricks.delta.snapshotPartitions": "4",
}
"""What suits tables of this size; what the platform or the submission says goes before."""


def open_session(name: str) -> SparkSession:
    """Start the session of the job `name`, or take the one that runs, with the required settings."""
    builder = SparkSession.builder.appName(name)
    for key, value in REQUIRED.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    for key, value in SMALL.items():
        if session.conf.get(key, None) is None:
            session.conf.set(key, value)
    session.sparkContext.setLogLevel("WARN")
    return session
