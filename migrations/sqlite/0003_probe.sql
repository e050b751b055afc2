-- What is written to see whether writing works: one row, of any bytes.

CREATE TABLE probe (
    n INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
