"""Payments, as a payment service calls a webhook: again, if it has got no answer."""

from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

TOPIC = "payments"
KEY = "payment"
EVENT_TIME = "paid_time"
COLUMNS = StructType(
    [
        StructField("paid_time", TimestampType(), False, {"comment": "When it was paid, UTC."}),
        StructField("payment", StringType(), False, {"comment": "Id of the payment."}),
        StructField("amount_cents", LongType(), False, {"comment": "Amount, cents."}),
    ]
)
