-- The tables of the three ports. {schema} is the quoted schema name, {lock} and
-- {channel} are literals made of it. Positions, offsets and times in
-- microseconds are bigint; keys are bytea, which is ordered bytewise in every
-- locale.

-- Records: what stands now.
CREATE TABLE {schema}.records (
	key   bytea PRIMARY KEY,
	value bytea NOT NULL
) WITH (fillfactor = 80);

-- Records: what the last commits changed, for watchers and for the check of what
-- a transaction read. The last position of all is the largest here, so the last
-- commit is never trimmed. Positions have no gaps.
CREATE TABLE {schema}.changes (
	position bigint NOT NULL,
	key      bytea  NOT NULL,
	value    bytea,            -- null: deleted
	total    bigint NOT NULL,  -- bytes of all commits so far, this one whole
	PRIMARY KEY (position, key)
);
ALTER TABLE {schema}.changes ALTER COLUMN value SET STORAGE EXTERNAL;

-- Log.
CREATE TABLE {schema}.topics (
	id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	topic  bytea  NOT NULL UNIQUE,
	first  bigint NOT NULL,  -- offset of the first entry kept
	next   bigint NOT NULL,  -- offset of the next entry
	before bigint NOT NULL,  -- time of the last entry before the last append
	last   bigint NOT NULL   -- time of the last entry
) WITH (fillfactor = 50);

CREATE TABLE {schema}.entries (
	topic   bigint NOT NULL,  -- topics.id
	"offset" bigint NOT NULL,
	time    bigint NOT NULL,
	data    bytea  NOT NULL,
	PRIMARY KEY (topic, "offset")
);

-- Counters.
CREATE TABLE {schema}.counters (
	key     bytea  PRIMARY KEY,
	tally   bytea  NOT NULL,
	expires bigint NOT NULL  -- the minute since the epoch before which it counts
) WITH (fillfactor = 50);
CREATE INDEX counters_expires ON {schema}.counters (expires);

-- transact commits one transaction of Records, in a transaction of its own at
-- READ COMMITTED: each statement here sees all that was committed before it.
--
-- Commits form one line: the lock is held until this transaction has ended, which
-- in PostgreSQL is after others can see it. So positions become visible in their
-- order, and whoever sees one sees all before it.
--
-- What was read at position seen (null: nothing was) must not have changed since:
-- then reading it now would give the same, and the transaction is serializable
-- in the order of positions. If it has, done is null and nothing is written.
--
-- A transaction too large for one call (part 0) begins with part 1 and goes on
-- with part 2, to which it passes what the first returned.
CREATE FUNCTION {schema}.transact(
	part int,
	seen bigint, read bytea[], read_from bytea[], read_to bytea[],
	put bytea[], put_values bytea[], gone bytea[], bytes bigint,
	INOUT done bigint, INOUT total bigint, OUT changed bigint
) LANGUAGE plpgsql AS $transact$
DECLARE
	last bigint;
BEGIN
	IF part < 2 THEN
		IF current_setting('transaction_isolation') <> 'read committed' THEN
			RAISE 'gatehouse: commit at isolation level %', current_setting('transaction_isolation');
		END IF;
		PERFORM pg_advisory_xact_lock(hashtextextended({lock}, 0));
		SELECT c.position, c.total INTO last, total FROM {schema}.changes c ORDER BY c.position DESC LIMIT 1;
		last := coalesce(last, 0);
		total := coalesce(total, 0) + bytes;
		done := NULL;
		IF seen < last THEN
			-- The upper bound tells the planner that the range is small.
			IF (SELECT min(c.position) FROM {schema}.changes c) > seen + 1
				OR EXISTS (SELECT FROM {schema}.changes c
					WHERE c.position BETWEEN seen + 1 AND last AND c.key = ANY (read))
				OR cardinality(read_from) > 0 AND EXISTS (SELECT FROM {schema}.changes c
					JOIN unnest(read_from, read_to) AS r(lower, upper) ON c.key >= r.lower AND (r.upper IS NULL OR c.key < r.upper)
					WHERE c.position BETWEEN seen + 1 AND last)
			THEN
				RETURN;
			END IF;
		END IF;
		done := last + 1;
	END IF;

	IF cardinality(gone) > 0 THEN
		WITH deleted AS (DELETE FROM {schema}.records r WHERE r.key = ANY (gone) RETURNING r.key)
		SELECT coalesce(array_agg(d.key), '{}') INTO gone FROM deleted d;
		INSERT INTO {schema}.changes SELECT done, g.key, NULL, total FROM unnest(gone) AS g(key);
	END IF;
	IF cardinality(put) > 0 THEN
		INSERT INTO {schema}.records SELECT p.key, p.value FROM unnest(put, put_values) AS p(key, value)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value;
		INSERT INTO {schema}.changes SELECT done, p.key, p.value, total FROM unnest(put, put_values) AS p(key, value);
	END IF;
	changed := cardinality(put) + cardinality(gone);

	IF part = 0 AND changed = 0 THEN
		done := last;
	ELSIF part < 2 THEN
		PERFORM pg_notify({channel}, done::text);
	END IF;
END
$transact$;
