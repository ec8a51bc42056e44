-- What several DUTs share: kind is `model`, `ir_set` or `smartcard`; key is what people call it.
CREATE TABLE catalogue (
    id      INTEGER NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    fields  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (kind, key)
) STRICT;

INSERT INTO meta (name, value) VALUES ('next_catalogue', '1');

-- The texts of an entry are in the DUT's own fields as well; these say whose they are.
ALTER TABLE duts ADD COLUMN model INTEGER REFERENCES catalogue (id);
ALTER TABLE duts ADD COLUMN ir_set INTEGER REFERENCES catalogue (id);
ALTER TABLE duts ADD COLUMN smartcard INTEGER REFERENCES catalogue (id);
