package ZcsyncFlow;

# A whole installation at work, for the system tests: a server with its worker,
# the simulated vendors, tickets mirrored from Zendesk account "acme" and tasks
# of ClickUp workspace "dev", and a route "bugs" from the one to the other.
#
#	my $flow = ZcsyncFlow->start('main', tickets => 500);
#	$flow->mirror;
#	$flow->route;
#	$flow->backfill;
#	$flow->settle('all tasks are made');
#	$flow->agree('after the backfill');

use strict;
use warnings;
use HTTP::Tiny;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZcsyncTest;

# A server and vendors without limits.  Options:
#	tickets => N		tickets of acme
#	tasks => N			tasks of dev before anything was created
#	simulator => [...]	more options of the simulator
#	conf => '...'		more lines of postgresql.conf
sub start
{
	my ($class, $name, %options) = @_;
	my $simulator = start_simulator('--tickets', $options{tickets} // 100, '--tasks', $options{tasks} // 20,
		'--zendesk-plan', 'none', '--clickup-plan', 'none', '--keep-requests', 20000, @{ $options{simulator} // [] });
	my $node = new_node($name, conf => "log_statement = none\n" . ($options{conf} // ''));

	# what changes at Zendesk is seen after a second, and not after a minute
	$simulator->post('holdback', { seconds => 0 });
	$node->start;
	setup_zcsync($node, 'postgres');
	return bless { node => $node, simulator => $simulator }, $class;
}

sub node { return $_[0]{node} }
sub simulator { return $_[0]{simulator} }
sub value { return $_[0]{node}->safe_psql('postgres', $_[1]) }

# Accounts acme and dev, with the budgets given as JSON, else wide ones.
sub accounts
{
	my ($self, %budgets) = @_;
	my $wide = '{"calls": 1000000, "concurrency": 30}';
	my $zendesk = $budgets{zendesk} // qq({"api": $wide, "export": $wide, "write": $wide, "token": {"calls": 1000, "concurrency": 1}});
	my $clickup = $budgets{clickup} // qq({"api": $wide});

	$self->value(sprintf <<'SQL', $self->{simulator}->zendesk, $zendesk, $self->{simulator}->clickup, $clickup);
SELECT zcsync.add_account('acme', 'zendesk',
	settings => '{"subdomain": "acme", "plan": "enterprise_plus", "high_volume": true, "base_url": "%s", "budgets": %s}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
SELECT zcsync.add_account('dev', 'clickup',
	settings => '{"workspace_id": "9001001", "plan": "enterprise", "base_url": "%s", "budgets": %s}',
	credentials => '{"token": "pk_183_DEV"}');
SELECT zcsync.alter_queue('task-sync', concurrency => 30, backoff_base => '200 ms');
SELECT count(*) FROM zcsync.discover('dev');
SQL
	return;
}

# Accounts and streams, read to their ends; without comments, unless a test says of which
# records, since most count the calls and jobs of everything else.
sub mirror
{
	my ($self, %budgets) = @_;
	my $comments = delete $budgets{comments} // 'none';

	$self->accounts(%budgets);
	$self->value(<<"SQL");
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 second', comments => '$comments');
SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 second', comments => '$comments');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL
	return wait_until($self->{node}, 'postgres',
		"SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams",
		'the streams are read');
}

# The route "bugs", into two lists whose statuses differ.
sub route
{
	my ($self) = @_;

	return $self->value(<<'SQL');
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks',
	filter => $$tags @> '{bug}'$$,
	create_in => $$CASE WHEN priority IN ('urgent', 'high')
		THEN 'Engineering/Product/Bugs' ELSE 'Engineering/Product/Requests' END$$,
	default_assignee => '185');
SELECT zcsync.map_value('bugs', 'status', s, t)
FROM (VALUES ('open', 'in progress'), ('pending', 'in review'), ('hold', 'in review')) AS v (s, t);
SELECT zcsync.resume_route('bugs');
SQL
}

sub backfill
{
	my ($self) = @_;
	return $self->value(q{SELECT value FROM zcsync.backfill_route('bugs', confirm => true) WHERE item = 'queued'});
}

# Wait until each stream was read $times times from beginning to end, counted
# from when all that has changed so far can be seen: a read that is under way
# then does not count.
sub polls
{
	my ($self, $times) = @_;

	for my $time (0 .. ($times // 1))
	{
		my $now = $self->value(sprintf q{SELECT zcsync._now() + interval '%s'}, $time == 0 ? '1.2 seconds' : '0');
		my $streams = "FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id)
			WHERE s.state = 'active' AND s.pull_interval = '1 second' AND coalesce(s.last_pull_at, '-infinity') <= '$now'";
		my $tries = 4 * $PostgreSQL::Test::Utils::timeout_default;

		# a stream whose last read failed is read more rarely, if not asked for
		while ($self->value("SELECT count(zcsync.refresh(a.name || '/' || s.kind)) $streams") > 0)
		{
			die 'streams are not read' if $tries-- == 0;
			usleep 250_000;
		}
	}
	return;
}

# Wait until there is nothing left to do but reading.
sub settle
{
	my ($self, $what) = @_;

	# what is to come of a page is queued with the page
	$self->polls;
	return wait_until($self->{node}, 'postgres', <<'SQL', $what);
SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments', 'token', 'probe'))
	AND NOT EXISTS (SELECT FROM zcsync.streams WHERE history_state = 'running')
SQL
}

# Writes that the simulated ClickUp applied, counted by operation.
sub writes
{
	my ($self, $since) = @_;
	my %count = (create => 0, update => 0);

	$count{ $_->{operation} }++
	  for @{ $self->{simulator}->get('ledger', vendor => 'clickup', since => $since // 0, limit => 1000000)->{writes} };
	return \%count;
}

# The number of the last write.
sub last_write { return $_[0]{simulator}->get('stats')->{writes} }

# What is counted while zcsync works: by the simulator, or in the database.
my %counter = (
	requests => sub { $_[0]{simulator}->get('stats')->{requests} },
	writes => sub { $_[0]->last_write },
	tickets => 'SELECT count(*) FROM zcsync.tickets',
	calls => q{SELECT coalesce(sum(calls_total), 0) FROM zcsync.account_budgets},
	ended => 'SELECT count(*) FROM zcsync.sync_records',
	links => 'SELECT count(*) FROM zcsync.links');

sub counted
{
	my ($self, $what) = @_;
	my $count = $counter{$what} or die "nothing counts $what";

	return ref $count ? $count->($self) : $self->value($count);
}

# Wait until so many are counted; returns how many are.  They may not come at all,
# when all is done.
sub wait_for_steps
{
	my ($self, $what, $until, $seconds) = @_;
	my $count = $counter{$what} or die "nothing counts $what";

	return $self->value("SELECT wait_for_steps(\$q\$$count\$q\$, $until, $seconds)") if !ref $count;
	my $deadline = time + $seconds;
	my $now = $self->counted($what);
	while ($now < $until && time < $deadline)
	{
		usleep 20_000;
		$now = $self->counted($what);
	}
	return $now;
}

# Have the database wait, which sees each step and not one in ten, as a psql for
# each look would.
sub count_steps
{
	my ($self) = @_;

	return $self->value(<<'SQL');
CREATE FUNCTION wait_for_steps(query text, awaited bigint, seconds double precision) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	seen bigint;
	deadline timestamptz := clock_timestamp() + seconds * interval '1 second';
BEGIN
	LOOP
		EXECUTE query INTO seen;
		EXIT WHEN seen >= awaited OR clock_timestamp() > deadline;
		PERFORM pg_sleep(0.002);
	END LOOP;
	RETURN seen;
END $$
SQL
}

# Records that ClickUp has more than once.
sub duplicates
{
	my ($self) = @_;
	return $self->{simulator}->get('stats')->{duplicates}{clickup}{marker}{duplicates} // 0;
}

# Requests of a vendor that the simulator saw, and what it thought of them.
sub requests
{
	my ($self, %filter) = @_;
	return @{ $self->{simulator}->get('requests', limit => 1000000, %filter)->{requests} };
}

# Move the time of zcsync and of the vendors on.
sub advance
{
	my ($self, $seconds) = @_;

	$self->{offset} = ($self->{offset} // 0) + $seconds;
	$self->{simulator}->post('clock', { offset_seconds => $self->{offset} });
	$self->{node}->safe_psql('postgres', "ALTER SYSTEM SET zcsync.clock_offset = $self->{offset}");
	$self->{node}->reload;
	$self->{node}->poll_query_until('postgres', "SELECT current_setting('zcsync.clock_offset') = '$self->{offset}'")
	  or die 'the clock does not move';
	return;
}

# Put what the vendors have into tables vendor_tickets and vendor_tasks.
sub load_vendors
{
	my ($self) = @_;
	my $directory = $self->{node}->basedir;

	for my $state ([ 'tickets', 'account', 'acme' ], [ 'tasks', 'workspace', 'dev' ])
	{
		my ($what, $filter, $name) = @$state;
		my $url = $self->{simulator}->url . "/_control/state/$what?$filter=$name&limit=1000000";
		my $reply = HTTP::Tiny->new->mirror($url, "$directory/$what.json");

		die "$url: $reply->{status}" if !$reply->{success};
		$self->value("DROP TABLE IF EXISTS vendor_$what;
			CREATE TABLE vendor_$what AS SELECT t ->> 'id' AS id, t AS doc
			FROM jsonb_array_elements(pg_read_file('$directory/$what.json')::jsonb -> '$what') AS t");
		unlink "$directory/$what.json";
	}
	return;
}

# The same state everywhere: mirror and vendors, tickets and their tasks.
sub agree
{
	my ($self, $when, %options) = @_;

	$self->load_vendors;
	is($self->value(<<'SQL'), '', "$when: tickets here are those at Zendesk");
SELECT string_agg(coalesce(v.id, t.remote_id), ', ')
FROM vendor_tickets AS v FULL JOIN zcsync.tickets AS t ON t.remote_id = v.id
WHERE (v.doc ->> 'subject', v.doc ->> 'description', v.doc ->> 'status', v.doc ->> 'priority', v.doc -> 'tags', v.doc ->> 'assignee_id',
		v.doc ->> 'type', v.doc ->> 'external_id', (v.doc ->> 'updated_at')::timestamptz)
	IS DISTINCT FROM (t.subject, t.description, t.status, t.priority, to_jsonb(t.tags), t.assignee_id, t.type, t.external_id, t.updated_at)
SQL
	is($self->value(<<'SQL'), '', "$when: tasks here are those at ClickUp");
SELECT string_agg(coalesce(v.id, t.remote_id, 'local ' || t.local_id), ', ')
FROM (SELECT * FROM vendor_tasks WHERE doc -> 'list' ->> 'name' <> 'Management') AS v
FULL JOIN (SELECT * FROM zcsync.tasks WHERE deleted_at IS NULL) AS t ON t.remote_id = v.id
WHERE (v.doc ->> 'name', v.doc -> 'status' ->> 'status', v.doc -> 'priority' ->> 'id', v.doc -> 'list' ->> 'id',
		ARRAY(SELECT a ->> 'id' FROM jsonb_array_elements(v.doc -> 'assignees') AS a ORDER BY 1),
		ARRAY(SELECT a ->> 'name' FROM jsonb_array_elements(v.doc -> 'tags') AS a ORDER BY 1),
		coalesce(rtrim(regexp_replace(replace(v.doc ->> 'description', E'\r\n', E'\n'), '(#|\s*)zcsync-[0-9a-f-]{36}\s*$', ''), E' \t\n'), ''))
	IS DISTINCT FROM (t.name, t.status, t.priority::text, t.list_id,
		ARRAY(SELECT a FROM unnest(t.assignees) AS a ORDER BY 1), ARRAY(SELECT a FROM unnest(t.tags) AS a ORDER BY 1),
		coalesce(t.description, '')) OR t.sync_state <> 'synced'
SQL
	$self->value(<<'SQL');
DROP TABLE IF EXISTS pairs;
CREATE TABLE pairs AS
SELECT v.id, v.doc AS ticket, w.id AS task_id, w.doc AS task
FROM vendor_tickets AS v
LEFT JOIN vendor_tasks AS w
	ON substring(w.doc ->> 'description' FROM 'https://acme\.zendesk\.com/agent/tickets/(\d+)#zcsync-[-0-9a-f]{36}$') = v.id
WHERE v.doc -> 'tags' ? 'bug' AND v.doc ->> 'status' <> 'deleted';
SQL
	is($self->value('SELECT count(*) FROM (SELECT id FROM pairs GROUP BY id HAVING count(task_id) <> 1) AS x'), 0,
		"$when: each bug has one task at ClickUp");
	is($self->value(q{SELECT count(*) FROM vendor_tasks WHERE doc ->> 'description' LIKE '%https://acme.zendesk.com/agent/tickets/%'}),
		$self->value('SELECT count(DISTINCT id) FROM pairs'), "$when: and no other ticket has");
	is($self->value(<<'SQL'), '', "$when: tasks have what their tickets have");
SELECT string_agg(format('%s (%s): %s', p.id, p.task_id, x.wrong), ', ')
FROM pairs AS p
LEFT JOIN zcsync.contacts AS c ON c.account_id = zcsync.account('acme') AND c.remote_id = p.ticket ->> 'assignee_id'
LEFT JOIN (VALUES
	('new', 'to do', 'Open'), ('open', 'in progress', 'planned'), ('pending', 'in review', 'planned'),
	('hold', 'in review', 'planned'), ('solved', 'complete', 'shipped'), ('closed', 'complete', 'Closed')
) AS s (ticket, bugs, requests) ON s.ticket = p.ticket ->> 'status'
CROSS JOIN LATERAL (SELECT concat_ws(' ',
	CASE WHEN p.task ->> 'name' IS DISTINCT FROM btrim(p.ticket ->> 'subject') THEN 'name' END,
	CASE WHEN p.task -> 'priority' ->> 'id' IS DISTINCT FROM CASE p.ticket ->> 'priority'
		WHEN 'urgent' THEN '1' WHEN 'high' THEN '2' WHEN 'normal' THEN '3' WHEN 'low' THEN '4' END THEN 'priority' END,
	CASE WHEN p.task -> 'status' ->> 'status' IS DISTINCT FROM
		CASE p.task -> 'list' ->> 'name' WHEN 'Bugs' THEN s.bugs ELSE s.requests END THEN 'status' END,
	CASE WHEN (p.task -> 'assignees' -> 0 ->> 'email', jsonb_array_length(p.task -> 'assignees')) IS DISTINCT FROM
		(CASE WHEN c.email LIKE '%@workspace.example' THEN c.email ELSE 'lena@workspace.example' END, 1) THEN 'assignee' END,
	CASE WHEN strpos(replace(p.task ->> 'description', E'\r\n', E'\n'), replace(btrim(p.ticket ->> 'description'), E'\r\n', E'\n')) = 0 THEN 'description' END) AS wrong) AS x
WHERE x.wrong <> ''
SQL
	is($self->duplicates, 0, "$when: ClickUp has nothing twice");
	is($self->value(<<'SQL'), $options{left} // '', "$when: nothing is stuck");
SELECT string_agg(concat_ws(' ', x.what, x.class, left(x.message, 200)), '; ')
FROM (
	SELECT 'dead letter: ' || operation, class, message FROM zcsync.dead_letters
	UNION ALL SELECT state || ' ' || operation, last_class, last_error FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments') OR state = 'held'
	UNION ALL SELECT 'route error: ' || field, code, message FROM zcsync.route_errors
	UNION ALL SELECT 'row ' || local_id, sync_state, name FROM zcsync.tasks WHERE sync_state <> 'synced'
	UNION ALL SELECT 'alert: ' || code, object, message FROM zcsync.alerts WHERE resolved_at IS NULL) AS x (what, class, message)
SQL
	return;
}

1;
