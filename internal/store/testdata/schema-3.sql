-- What a lamb with schema 3 left behind. Not to be changed.
CREATE TABLE lamb_schema (version BIGINT NOT NULL PRIMARY KEY);
INSERT INTO lamb_schema VALUES (1);
INSERT INTO lamb_schema VALUES (2);
INSERT INTO lamb_schema VALUES (3);

CREATE TABLE function_names (
    aws_partition TEXT NOT NULL,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    last_number   BIGINT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name)
);

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

INSERT INTO function_names VALUES ('aws', '000000000000', 'us-east-1', 'hello', 4);
INSERT INTO function_versions VALUES ('aws', '000000000000', 'us-east-1', 'hello', 0, '6f1d3e0e-2a1b-4a56-9a53-0f3f6d3d9b01', 1760000000123, 'Active', '', '', 'Successful', '', '', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 211, 96, 'cd',
'{"Description":"says hello","Runtime":"python3.12","Handler":"app.handler","Role":"arn:aws:iam::000000000000:role/r","TimeoutSecs":3,"MemoryMB":128,"TmpMB":512,"PackageType":"Zip","Architectures":["x86_64"],"Environment":{"WHO":"world"},"Layers":[{"ARN":"arn:aws:lambda:us-east-1:000000000000:layer:l:1","SHA256":"ab","Size":7}],"TracingMode":"PassThrough","SnapStart":"None","Logging":{"Format":"JSON","ApplicationLevel":"INFO","SystemLevel":"WARN","Group":"/aws/lambda/hello"},"DeadLetterARN":"arn:aws:sqs:us-east-1:000000000000:q","KMSKeyARN":"arn:aws:kms:us-east-1:000000000000:key/k","SourceKMSKeyARN":"arn:aws:kms:us-east-1:000000000000:key/s","VPC":{"SubnetIDs":["subnet-1"],"SecurityGroupIDs":["sg-1"],"VPCID":"vpc-1","IPv6":true},"FileSystems":[{"ARN":"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/a","LocalMountPath":"/mnt/a"}],"ImageConfig":{"EntryPoint":["/e"],"Command":["c"],"WorkingDirectory":"/w"},"TenantIsolation":"PER_TENANT","RuntimeVersionARN":"arn:aws:lambda:us-east-1::runtime:0","Kept":{"Serving":{"Code":{"SHA256":"cd","Size":1,"Unzipped":2},"Config":{"Description":"","Runtime":"python3.11","Handler":"","Role":"","TimeoutSecs":0,"MemoryMB":0,"TmpMB":0,"PackageType":"","Architectures":null,"Environment":null,"TracingMode":"","SnapStart":"","Logging":{"Format":"","Group":""}}},"Tags":{"team":"a"},"SourceDescription":"d"}}');
INSERT INTO function_versions VALUES ('aws', '000000000000', 'us-east-1', 'hello', 3, '6f1d3e0e-2a1b-4a56-9a53-0f3f6d3d9b02', 1760000000123, 'Active', '', '', 'Successful', '', '', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 211, 96, '',
'{"Description":"","Runtime":"nodejs22.x","Handler":"h","Role":"","TimeoutSecs":3,"MemoryMB":128,"TmpMB":512,"PackageType":"Zip","Architectures":["arm64"],"Environment":{},"TracingMode":"PassThrough","SnapStart":"None","Logging":{"Format":"Text","Group":"g"}}');

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO settings VALUES ('link-key', 'c2VjcmV0');

CREATE TABLE layer_names (
    aws_partition TEXT NOT NULL,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    last_number   BIGINT NOT NULL,
    PRIMARY KEY (aws_partition, account, region, name)
);

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
INSERT INTO layer_names VALUES ('aws', '000000000000', 'us-east-1', 'l', 2);
INSERT INTO layer_versions VALUES ('aws', '000000000000', 'us-east-1', 'l', 2, 1760000000123, 'ab', 7, 9,
'{"Description":"d","LicenseInfo":"MIT","Runtimes":["python3.12"],"Architectures":["arm64"]}');
