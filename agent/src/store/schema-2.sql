-- What the agent calls the conversation of a chat session, or of a file task that has not ended.
CREATE TABLE agent_session (
    source TEXT NOT NULL,
    name   TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;
