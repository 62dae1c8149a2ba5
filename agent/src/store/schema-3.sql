-- The turns of a chat session, in their order: what a later prompt of the session follows upon.
CREATE INDEX item_session ON item (json_extract(detail, '$.session'), arrival)
    WHERE source = 'chat' AND ended_at IS NOT NULL;
