-- What belongs to a function beside its versions. A qualifier is empty for the
-- function itself.

-- Both numbers are of function_versions: 0 is $LATEST. other_number is NULL
-- where all invocations go to version_number.
CREATE TABLE function_aliases (
    aws_partition  TEXT NOT NULL,
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    qualifier      TEXT NOT NULL,
    revision_id    TEXT NOT NULL,
    version_number BIGINT NOT NULL,
    other_number   BIGINT,
    other_weight   DOUBLE PRECISION NOT NULL,
    description    TEXT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name, qualifier),
    FOREIGN KEY (aws_partition, account, region, name)
        REFERENCES function_names (aws_partition, account, region, name)
);

-- statements is JSON.
CREATE TABLE function_policies (
    aws_partition TEXT NOT NULL,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    qualifier     TEXT NOT NULL,
    revision_id   TEXT NOT NULL,
    statements    TEXT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name, qualifier),
    FOREIGN KEY (aws_partition, account, region, name)
        REFERENCES function_names (aws_partition, account, region, name)
);

-- cors is JSON, or empty for none.
CREATE TABLE function_urls (
    aws_partition    TEXT NOT NULL,
    account          TEXT NOT NULL,
    region           TEXT NOT NULL,
    name             TEXT NOT NULL,
    qualifier        TEXT NOT NULL,
    url_id           TEXT NOT NULL,
    auth_type        TEXT NOT NULL,
    invoke_mode      TEXT NOT NULL,
    cors             TEXT NOT NULL,
    created_ms       BIGINT NOT NULL,
    last_modified_ms BIGINT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name, qualifier),
    UNIQUE (url_id),
    FOREIGN KEY (aws_partition, account, region, name)
        REFERENCES function_names (aws_partition, account, region, name)
);
