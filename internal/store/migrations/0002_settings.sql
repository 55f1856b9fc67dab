-- Secrets and facts of the installation. value is base64: the type of a
-- column of bytes is not the same in all databases.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
