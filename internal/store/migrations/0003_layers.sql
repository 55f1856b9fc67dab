-- As function_names: the last number that was given to a version of the layer,
-- which outlives the layer, and the lock of its writers.
CREATE TABLE layer_names (
    aws_partition TEXT NOT NULL,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    last_number   BIGINT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name)
);

-- Rows are never changed. details is JSON.
CREATE TABLE layer_versions (
    aws_partition  TEXT NOT NULL,
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    version_number BIGINT NOT NULL,
    created_ms     BIGINT NOT NULL,
    code_sha256    TEXT NOT NULL,
    code_size      BIGINT NOT NULL,
    code_unzipped  BIGINT NOT NULL,
    details        TEXT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name, version_number),
    FOREIGN KEY (aws_partition, account, region, name)
        REFERENCES layer_names (aws_partition, account, region, name)
);
