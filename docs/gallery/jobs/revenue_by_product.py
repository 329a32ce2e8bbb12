"""How much of each product is ordered through each channel, by the hour?

in    topic orders (docs/gallery/schemas/order.py), whose records have objects and arrays inside
out   table revenue_by_product_v1: a row for each hour, channel and product, with the number of items of orders, the sum
      of pieces and that of the revenue in cents
late  an order that comes late is counted, and its hour is corrected
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import order

PANES = Panes(every="10 minutes", by=("channel", "product"), count="items", sums=("quantity", "revenue_cents"))
WINDOWS = Windows(PANES, Tumbling("1 hour"))


def transform(orders: DataFrame) -> DataFrame:
    """An event for each item of an order."""
    items = orders.select("event_time", "meta.channel", F.explode("items").alias("item"))
    revenue = (F.col("item.quantity") * F.col("item.price_cents")).alias("revenue_cents")
    return items.select("event_time", "channel", "item.product", "item.quantity", revenue)


RESULT = Result("revenue_by_product_v1", Reads(order, transform), WINDOWS, late=Late("1 hour"))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
