-- A source is a set of kinds, and a status is asked for by kind: each change of an entry writes these too.
DROP INDEX entry_source;
DROP INDEX entry_status;
DROP INDEX entry_source_status;
