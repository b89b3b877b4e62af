"""The EMR Serverless payload: jobs that turn raw risk factors into examples and a training snapshot.

How it travels: `entry.py` is the job's entry point, uploaded as a file of its own; `payload.zip`, given to
spark-submit as `--py-files`, holds the packages `spark/` and `unitydoor/` with their folders at the archive's
root. Both lie under `code/spark/<digest>/` of the work bucket, the digest being that of the sources, which is
also the assets' code version.

What the platform brings: Spark 4.0 with Python 3.11, boto3 and `dagster_pipes`, S3A as `fs.s3.impl`, and on the
class path Delta and `unitycatalog-hadoop` (`constraints/jars.lock`; docs/decisions/spark-jars.md). What Python lacks
there comes packed (`constraints/spark.in`, `govtune package`).

How it is laid out: `jobs/` reads and writes; `examples` and `snapshot` are functions from DataFrame to DataFrame;
`cleaning`, `pii`, `templates` and `split` are plain Python that needs no Spark. Nothing here imports Dagster, the
orchestrator or the local cloud.
"""
