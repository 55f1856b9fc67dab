-- A name outlives its function: it keeps the last number that was given to a
-- version, so that numbers are never used twice. Its row is also the lock
-- that writers of the function take first.
CREATE TABLE function_names (
    aws_partition TEXT NOT NULL,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    last_number   BIGINT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name)
);

-- version_number 0 is $LATEST, which therefore sorts first. config is JSON;
-- serving_sha256 is the digest of other code that is still run while an update
-- is not finished, or empty.
CREATE TABLE function_versions (
    aws_partition      TEXT NOT NULL,
    account            TEXT NOT NULL,
    region             TEXT NOT NULL,
    name               TEXT NOT NULL,
    version_number     BIGINT NOT NULL,
    revision_id        TEXT NOT NULL,
    last_modified_ms   BIGINT NOT NULL,
    state              TEXT NOT NULL,
    state_reason       TEXT NOT NULL,
    state_code         TEXT NOT NULL,
    last_update        TEXT NOT NULL,
    last_update_reason TEXT NOT NULL,
    last_update_code   TEXT NOT NULL,
    code_sha256        TEXT NOT NULL,
    code_size          BIGINT NOT NULL,
    code_unzipped      BIGINT NOT NULL,
    serving_sha256     TEXT NOT NULL,
    config             TEXT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name, version_number),
    FOREIGN KEY (aws_partition, account, region, name)
        REFERENCES function_names (aws_partition, account, region, name)
);
