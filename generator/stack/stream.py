"""From the price table's stream to CheckAlertsFunction, and where the records go that it cannot process."""

from __future__ import annotations

import json

from troposphere import AWSObject, GetAtt, Ref
from troposphere.awslambda import DestinationConfig, EventSourceMapping, Filter, FilterCriteria, OnFailure

from generator.capacity.sizing import CHECK_ALERTS, Sizing
from generator.config.schema import Environment
from generator.stack import names, queues

MAX_RECORD_AGE_S = 3600
"""An alert on an hour-old price helps nobody; a stream keeps 24 hours, so the age is ours to bound."""


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """The mapping and its failure queue.

    Inserts only: time to live deletes by the thousand, and no deletion fires an alert.

    Retries are bounded by age and not by count, so that an outage does not use them up. A failing batch is halved,
    and one that failed in part resumes at the first failed record.
    """
    mapping = EventSourceMapping(
        "CheckAlertsEventSourceMapping",
        BatchSize=environment.stream.batch_size,
        BisectBatchOnFunctionError=True,
        DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=names.arn(names.STREAM_FAILURE_QUEUE))),
        EventSourceArn=GetAtt(names.PRICE_HISTORY_TABLE, "StreamArn"),
        FilterCriteria=FilterCriteria(Filters=[Filter(Pattern=json.dumps({"eventName": ["INSERT"]}))]),
        FunctionName=Ref(CHECK_ALERTS),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumBatchingWindowInSeconds=environment.stream.batching_window_s,
        MaximumRecordAgeInSeconds=MAX_RECORD_AGE_S,
        ParallelizationFactor=sizing.parallelization_factor,
        StartingPosition="TRIM_HORIZON",
    )
    return [mapping, queues.queue(names.STREAM_FAILURE_QUEUE)]
