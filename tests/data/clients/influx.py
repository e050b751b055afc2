"""InfluxDB's clients of version 1 and 2 for Python: what programs do at their start, and writing.

Takes the host, the port and the token.
"""

import sys

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError
from influxdb_client import InfluxDBClient as InfluxDBClient2
from influxdb_client import Point
from influxdb_client.client.write_api import SYNCHRONOUS

host, port, token = sys.argv[1:]

one = InfluxDBClient(host, int(port), username="ada", password=token, database="home")
assert one.ping()
one.create_database("home")
assert {"name": "home"} in one.get_list_database()
one.write_points([])
point = {"measurement": "py1", "tags": {"host": "a"}, "fields": {"value": 41.5}}
one.write_points([point])
one.write_points([dict(point, measurement="py1_s")], time_precision="s")
try:
    one.write_points(["wrong"], protocol="line")
    raise SystemExit("a line that does not read was taken")
except InfluxDBClientError as error:
    assert error.code == 400 and "line 1" in str(error), error
try:
    InfluxDBClient(host, int(port), "ada", "wrong", "home").create_database("home")
    raise SystemExit("a wrong password was taken")
except InfluxDBClientError as error:
    assert error.code == 401, error

with InfluxDBClient2(url=f"http://{host}:{port}", token=token, org="us", enable_gzip=True) as two:
    assert two.ping()
    assert two.ready().status == "ready"
    assert two.health().status == "pass"
    assert two.buckets_api().find_bucket_by_name("home").name == "home"
    assert [org.name for org in two.organizations_api().find_organizations(org="us")] == ["us"]
    writer = two.write_api(write_options=SYNCHRONOUS)
    writer.write(bucket="home", record=Point("py2").tag("host", "a ").field("value", 42.5))
