-- Log groups that were made, or of which something was said: others are there
-- when they have lines. tags is JSON; retention_days 0 is no bound.
CREATE TABLE log_groups (
    aws_partition  TEXT NOT NULL,
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    created_ms     BIGINT NOT NULL,
    retention_days BIGINT NOT NULL,
    kms_key_id     TEXT NOT NULL,
    class          TEXT NOT NULL,
    tags           TEXT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name)
);
