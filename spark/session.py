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


def open_session(name: str) -> SparkSession:
    """Start the session of the job `name`, or take the one that runs, with the required settings."""
    builder = SparkSession.builder.appName(name)
    for key, value in REQUIRED.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session
