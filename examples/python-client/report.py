"""What a market earned and who bought lately, by Python's gql: every document is checked against the schema before it is sent.

    pip install -r requirements.txt
    LEADYARD_URL=http://127.0.0.1:8080/graphql LEADYARD_EMAIL=... LEADYARD_PASSWORD=... python report.py
"""

import datetime
import os
import pathlib

from gql import Client, gql
from gql.transport.httpx import HTTPXTransport

URL = os.environ["LEADYARD_URL"]
SCHEMA = (pathlib.Path(__file__).resolve().parents[2] / "schema.graphql").read_text(encoding="utf-8")

SIGN_IN = gql(
    """
    mutation SignIn($input: SessionCreateInput!) {
      sessionCreate(input: $input) { session { token } userErrors { code message } }
    }
    """
)

REPORT = gql(
    """
    query Report($range: DayRange!, $after: String) {
      profitAndLoss(range: $range, by: CAMPAIGN) { name revenue { amountMinor currency } profit { amountMinor } }
      sales(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        edges { node { soldAt state price { amountMinor currency } buyer { name } } }
      }
    }
    """
)


def client(token: str | None = None) -> Client:
    """Asks as nobody, or as the owner of a token."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Client(transport=HTTPXTransport(url=URL, headers=headers), schema=SCHEMA)


def sign_in() -> str:
    """A session's token; what is wrong is said by the server."""
    given = {"email": os.environ["LEADYARD_EMAIL"], "password": os.environ["LEADYARD_PASSWORD"]}
    answer = client().execute(SIGN_IN, variable_values={"input": given})["sessionCreate"]
    if answer["session"] is None:
        raise SystemExit("; ".join(error["message"] for error in answer["userErrors"]))
    return answer["session"]["token"]


def main() -> None:
    """Prints the last 30 days by campaign, and every sale page by page."""
    market = client(sign_in())
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = {"since": str(today - datetime.timedelta(days=30)), "until": str(today + datetime.timedelta(days=1))}
    after, sales = None, 0
    while True:
        report = market.execute(REPORT, variable_values={"range": days, "after": after})
        if after is None:
            for line in report["profitAndLoss"]:
                print(f"{line['name']}: revenue {line['revenue']['amountMinor']}, profit {line['profit']['amountMinor']}")
        for edge in report["sales"]["edges"]:
            sale = edge["node"]
            sales += 1
            print(f"{sale['soldAt']} {sale['state']} {sale['price']['amountMinor']} {sale['buyer']['name']}")
        page = report["sales"]["pageInfo"]
        if not page["hasNextPage"]:
            break
        after = page["endCursor"]
    print(f"{sales} sales")


if __name__ == "__main__":
    main()
