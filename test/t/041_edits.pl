# What agents do all day: of 1,000 edits 100 change something that the route
# copies, and 100 updates are sent.  What comes back of them costs nothing.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 1000);

$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('all tasks are made');

# 100 tickets get another value of something that is copied ...
my $edits = JSON::PP->new->decode($flow->value(<<'SQL'));
WITH bug AS (
	SELECT t.*, row_number() OVER (PARTITION BY t.status = 'new' ORDER BY t.local_id) AS n
	FROM zcsync.tickets AS t JOIN zcsync.links AS l ON l.source_id = t.local_id WHERE t.deleted_at IS NULL
), edit AS (
	(SELECT remote_id, jsonb_build_object('status', 'solved') AS fields FROM bug WHERE status = 'new' LIMIT 10)
	UNION ALL
	SELECT remote_id, CASE n % 3
		WHEN 0 THEN jsonb_build_object('subject', 'Edited: ' || remote_id)
		WHEN 1 THEN jsonb_build_object('priority', CASE priority WHEN 'urgent' THEN 'low' ELSE 'urgent' END)
		ELSE jsonb_build_object('assignee_id', (
			SELECT c.remote_id::bigint FROM zcsync.contacts AS c WHERE c.account_id = bug.account_id AND c.email = CASE
				WHEN bug.assignee_id = (SELECT d.remote_id FROM zcsync.contacts AS d
					WHERE d.account_id = bug.account_id AND d.email = 'dana@workspace.example')
				THEN 'erik@workspace.example' ELSE 'dana@workspace.example' END)) END
	FROM bug WHERE status <> 'new' AND n <= 90)
SELECT jsonb_agg(jsonb_build_object('account', 'acme', 'id', remote_id::bigint, 'fields', fields)) FROM edit
SQL
is(scalar @$edits, 100, '100 edits of what is copied');

# ... and 900 other edits hit these and other tickets.
my @ids = split /\n/, $flow->value('SELECT t.remote_id FROM zcsync.tickets AS t WHERE deleted_at IS NULL ORDER BY (t.tags @> $${bug}$$) DESC, t.local_id');
my @other = (
	sub { (type => $_[0] % 2 ? 'problem' : 'task') },
	sub { (comment => { body => "Any news? $_[0]", public => $_[0] % 2 ? \1 : \0 }) },
	sub { (external_id => "erp-$_[0]") },
	sub { (custom_fields => [ { id => $flow->simulator->get('info')->{zendesk}{acme}{custom_fields}{'Order number'}, value => "ORD-$_[0]" } ]) },);
push @$edits, { account => 'acme', id => 0 + $ids[ $_ % 700 ], fields => { $other[ $_ % @other ]->($_) } } for 1 .. 900;

my $last = $flow->last_write;
$flow->simulator->post('edits', $edits);
wait_until($flow->node, 'postgres', q{SELECT count(*) >= 30 FROM zcsync.tasks WHERE name LIKE 'Edited: %' AND sync_state = 'synced'}, 'edits arrive');
$flow->settle('and all of them are through');
is_deeply($flow->writes($last), { create => 0, update => 100 }, '100 updates');
is($flow->value(q{SELECT count(DISTINCT local_id) FROM zcsync.changes WHERE kind = 'tickets' AND action = 'update' AND new ? 'external_id'}), 175,
	'the history has what else was edited');
$flow->agree('after the edits');

# Nothing is written by what comes back, nor by what comes twice.
my $marks = <<'SQL';
SELECT (SELECT count(*) FROM zcsync.sync_records), (SELECT count(*) FROM zcsync.changes),
	(SELECT md5(string_agg(concat_ws(' ', local_id, xmin, ctid), ',' ORDER BY local_id)) FROM zcsync.tickets),
	(SELECT md5(string_agg(concat_ws(' ', local_id, xmin, ctid), ',' ORDER BY local_id)) FROM zcsync.tasks),
	(SELECT md5(string_agg(concat_ws(' ', local_id, xmin, ctid), ',' ORDER BY local_id)) FROM zcsync.contacts),
	(SELECT md5(string_agg(concat_ws(' ', link_id, xmin, ctid), ',' ORDER BY link_id)) FROM zcsync.links)
SQL
$flow->polls(2);
my $before = $flow->value($marks);
$flow->polls(3);
is($flow->value($marks), $before, 'polls write nothing');
$flow->simulator->post('resurface', { account => 'acme' });
$flow->polls(3);
$flow->settle('tickets came again');
is($flow->value($marks), $before, 'nor do tickets that come again unchanged');
is($flow->last_write, $last + 100, 'ClickUp hears nothing of it');

# What somebody set at ClickUp stays, until it changes at Zendesk.
my ($ticket, $task) = split /\|/, $flow->value(q{SELECT t.remote_id, k.remote_id FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id = l.source_id
	JOIN zcsync.tasks AS k ON k.local_id = l.target_id WHERE t.priority = 'low' ORDER BY t.local_id LIMIT 1});
my $names = "SELECT name || ', ' || priority FROM zcsync.tasks WHERE remote_id = '$task' AND sync_state = 'synced'";
$flow->simulator->post('edit', { workspace => 'dev', id => $task, fields => { name => 'By hand' } });
wait_until($flow->node, 'postgres', "SELECT EXISTS ($names AND name = 'By hand')", 'a name given at ClickUp comes back');
$flow->simulator->post('edit', { account => 'acme', id => 0 + $ticket, fields => { priority => 'high' } });
wait_until($flow->node, 'postgres', "SELECT EXISTS ($names AND priority = 2)", 'the priority follows the ticket');
is($flow->value($names), 'By hand, 2', 'and the name stays');
is_deeply(JSON::PP->new->decode(($flow->requests(vendor => 'clickup', method => 'PUT', path => "/task/$task"))[-1]{body}), { priority => 2 },
	'only what differs is sent');
$flow->simulator->post('edit', { account => 'acme', id => 0 + $ticket, fields => { subject => 'By the customer' } });
wait_until($flow->node, 'postgres', "SELECT EXISTS ($names AND name = 'By the customer')", 'a new subject replaces it');
$flow->settle('all is through');
$flow->agree('in the end');

is(log_lines($flow->node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$flow->node->stop;
done_testing();
