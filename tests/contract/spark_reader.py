"""A Spark program that reaches a table by the Java connector's own entry point; orders come in, findings go out.

Run by test_contract_spark.py in a process of its own. Standard input: one JSON object with jars, host, client_id,
client_secret, table_id, place, s3 (an endpoint or null) and region. The last line of standard output: the rows before
and after an append, and whether a write with the read credential was refused.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyspark.sql import SparkSession


def open_session(order: dict[str, Any]) -> SparkSession:
    """One core, Delta and the connector on the class path; no credential in its configuration."""
    settings = {
        "spark.jars": ",".join(order["jars"]),
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.hadoop.fs.s3a.endpoint.region": order["region"],
    }
    if order["s3"]:
        endpoint = {"endpoint": order["s3"], "path.style.access": "true", "connection.ssl.enabled": "false"}
        settings |= {f"spark.hadoop.fs.s3a.{key}": value for key, value in endpoint.items()}
    builder = SparkSession.builder.master("local[1]").appName("contract")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def options(spark: SparkSession, order: dict[str, Any], operation: str) -> dict[str, str]:
    """What the connector hands to Hadoop for one table, after it has signed in and asked for a credential."""
    java: Any = spark.sparkContext._jvm
    package = java.io.unitycatalog
    known = {
        "type": "oauth",
        "oauth.uri": f"{order['host']}/oidc/v1/token",
        "oauth.clientId": order["client_id"],
        "oauth.clientSecret": order["client_secret"],
    }
    made = java.java.util.HashMap()
    for key, value in known.items():
        made.put(key, value)
    configurations = package.hadoop.UCCredentialHadoopConfs
    operations = getattr(package.hadoop, "UCCredentialHadoopConfs$TableOperation")
    builder = configurations.builder(order["host"], "s3").tokenProvider(package.client.auth.TokenProvider.create(made))
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # type: ignore[attr-defined]
    built = builder.enableCredentialRenewal(True).enableCredentialScopedFs(True).hadoopConf(hadoop)
    return dict(built.buildForTable(order["table_id"], operations.valueOf(operation)))


def numbers(spark: SparkSession, place: str, read: dict[str, str]) -> list[int]:
    """The rows of the table."""
    return sorted(row.id for row in spark.read.format("delta").options(**read).load(place).collect())


def main() -> None:
    """Read, append, read again; then write with the read credential, which must fail."""
    order = json.load(sys.stdin)
    spark = open_session(order)
    read, write = options(spark, order, "READ"), options(spark, order, "READ_WRITE")
    before = numbers(spark, order["place"], read)
    row = spark.createDataFrame([(3,)], "id long")
    row.write.format("delta").mode("append").options(**write).save(order["place"])
    after = numbers(spark, order["place"], read)
    try:
        row.write.format("delta").mode("append").options(**read).save(order["place"])
        refused = False
    except Exception as error:  # whatever Java throws: what it says is judged
        refused = "AccessDenied" in str(error) or "403" in str(error)
    print(json.dumps({"before": before, "after": after, "refused": refused}))


if __name__ == "__main__":
    main()
