"""The EMR Serverless payload: jobs that turn raw risk factors into examples and a training snapshot. Never imports Dagster."""
