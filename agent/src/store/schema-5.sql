-- A source is a set of kinds, and a status is asked for by kind: each change of an entry writes these too.
DROP INDEX IF EXISTS entry_source;
DROP INDEX IF EXISTS entry_status;
DROP INDEX IF EXISTS entry_source_status;
