-- A source is a set of kinds, and a status is asked for by kind: what these cost each entry and each change is saved.
DROP INDEX IF EXISTS entry_source;
DROP INDEX IF EXISTS entry_status;
DROP INDEX IF EXISTS entry_source_status;
