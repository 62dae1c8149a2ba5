-- What an agent did along the way, by the key of its entry: apart, so that a page that does not show it costs no more.
CREATE TABLE steps (
    entry     INTEGER PRIMARY KEY,
    json      TEXT    NOT NULL,
    truncated INTEGER NOT NULL
);
