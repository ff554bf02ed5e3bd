# Comments of tickets that have a counterpart are mirrored, with few calls, and their
# text is in their rows only.

use strict;
use warnings;

use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 60, tasks => 5);
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $true = JSON::PP::true();

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }

# Requests whose path matches.
sub calls
{
	my ($path, $vendor) = @_;
	return scalar grep { $_->{path} =~ $path } @{ $simulator->get('requests', vendor => $vendor // 'zendesk', limit => 100000)->{requests} };
}

# Comments are looked after now, and again until this is so: the vendor shows what is
# new only after a while.
sub look
{
	my ($what, $query) = @_;

	return wait_until($node, 'postgres', "WITH looked AS (UPDATE zcsync.streams SET comments_at = zcsync._now()
		WHERE comments_at > zcsync._now() + interval '1 second') $query", $what);
}

ok($flow->mirror(comments => 'linked'), 'both sides are read');
is(calls(qr{ticket_events|/comments}), 0, 'while no ticket has a counterpart, no comment is read');

# notes in tickets that will have a task, and in others
my @bugs = split /\n/, value(q{SELECT remote_id FROM zcsync.tickets WHERE tags @> '{bug}' AND status NOT IN ('closed', 'deleted') ORDER BY remote_id::bigint LIMIT 3});
my ($other) = split /\n/, value(q{SELECT remote_id FROM zcsync.tickets WHERE NOT tags @> '{bug}' AND status NOT IN ('closed', 'deleted') ORDER BY remote_id::bigint LIMIT 1});
cmp_ok(scalar @bugs, '>=', 2, 'tickets for the route');
$simulator->post('touch', { account => 'acme', id => $bugs[0], text => "old note $_" }) for 1 .. 120;
$simulator->post('touch', { account => 'acme', id => $other, text => 'note elsewhere' });

$flow->route;
$flow->backfill;
$flow->settle('tickets become tasks');
my $linked = value(q{SELECT count(DISTINCT source_id) FROM zcsync.links WHERE state = 'linked'});
look('all conversations are read', "SELECT count(*) = $linked AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations WHERE kind = 'tickets'");
is(value("SELECT count(*) FROM zcsync.comments WHERE parent_id = '$bugs[0]'"), 121, 'a ticket with more comments than a page');
is(value(q{SELECT count(*) FROM zcsync.comments c WHERE NOT EXISTS (SELECT FROM zcsync.conversations v WHERE v.remote_id = c.parent_id)}), 0, 'no comment of a ticket without a counterpart');
is(value(q{SELECT count(*) FROM zcsync.comments WHERE author_name IS NULL OR body IS NULL OR rich_body IS NULL OR is_private IS NULL OR created_at IS NULL OR channel IS NULL}), 0, 'each has its author, text, visibility and time');
is(value(q{SELECT count(*) FROM zcsync.comments c JOIN zcsync.tickets t ON t.remote_id = c.parent_id AND t.description = c.body}), $linked, 'the first comment of each is its description');
my $listed = calls(qr{/comments$});
cmp_ok($listed, '<=', $linked + 1 + 3, 'one call a ticket, and one more for the second page');

# what is written from now on comes with the export of events
$simulator->post('touch', { account => 'acme', id => $bugs[1], text => 'a note: hush-hush' });
$simulator->post('touch', { account => 'acme', id => $bugs[1], text => 'for everybody', public => $true });
$simulator->post('touch', { account => 'acme', id => $other, text => 'still elsewhere' });
look('new comments come', q{SELECT count(*) = 2 FROM zcsync.comments WHERE body IN ('a note: hush-hush', 'for everybody')});
is(value(q{SELECT string_agg(is_private::text, ' ' ORDER BY body) FROM zcsync.comments WHERE body IN ('a note: hush-hush', 'for everybody')}), 'true false', 'with their visibility');
is(calls(qr{/comments$}), $listed, 'without listing a ticket');

# with files, whose address is in the vendor's document only
$simulator->post('touch', { account => 'acme', id => $bugs[1], text => 'see the log', files => [ { file_name => 'a.log', size => 3000000000 }, { file_name => 'b.png', content_type => 'image/png' } ] });
look('files of a comment', q{SELECT count(*) = 2 FROM zcsync.attachments});
is(value(q{SELECT string_agg(concat_ws(' ', a.name, a.media_type, a.size, a.scan_result, a.is_inline), ', ' ORDER BY a.name) FROM zcsync.attachments a JOIN zcsync.comments c ON c.remote_id = a.comment_id AND c.parent_id = a.parent_id WHERE c.body = 'see the log'}),
	'a.log text/plain 3000000000 clean f, b.png image/png 12 clean f', 'are rows beside it');
is(value(q{SELECT count(*) FROM zcsync.changes AS c WHERE c::text ~ 'content_url|/attachments/'}), 0, 'and history has no address of them');

# made private, and redacted
my $public = value(q{SELECT remote_id FROM zcsync.comments WHERE body = 'for everybody'});
my $secret = value(q{SELECT remote_id FROM zcsync.comments WHERE body LIKE '%hush-hush'});
$simulator->post('edit_comment', { account => 'acme', id => $bugs[1], comment => $public, private => 1 });
look('a comment made private', "SELECT is_private FROM zcsync.comments WHERE remote_id = '$public'");
$simulator->post('edit_comment', { account => 'acme', id => $bugs[1], comment => $secret, redact => 'hush' });
look('a redacted comment', "SELECT is_redacted AND body !~ 'hush' FROM zcsync.comments WHERE remote_id = '$secret'");
# the export does not tell all: then when the ticket, which changed, is listed again
$simulator->post('edit_comment', { account => 'acme', id => $bugs[0], comment => value(q{SELECT remote_id FROM zcsync.comments WHERE body = 'old note 120'}), redact => 'note', quiet => 1 });
$flow->polls;
wait_until($node, 'postgres', "SELECT due_at > zcsync._now() FROM zcsync.conversations WHERE remote_id = '$bugs[0]'", 'it is planned');
value("UPDATE zcsync.conversations SET due_at = zcsync._now() WHERE remote_id = '$bugs[0]'");
look('a redaction that the export did not tell', "SELECT bool_or(is_redacted) FROM zcsync.comments WHERE parent_id = '$bugs[0]'");

# the tasks of these tickets: comments and replies, when the task has changed
my ($task) = split /\n/, value("SELECT t.remote_id FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id WHERE s.remote_id = '$bugs[0]'");
$simulator->post('touch', { workspace => 'dev', id => $task, text => "from a developer $_" }) for 1 .. 30;
$flow->polls;
look('comments of a task', q{SELECT count(*) = 30 FROM zcsync.comments WHERE body LIKE 'from a developer%'});
my $pages = calls(qr{/task/$task/comment$}, 'clickup');
note("30 comments of a task, which had none before: $pages calls since it was linked");
cmp_ok($pages, '<=', 6, 'a task costs a call, and one for each 25 new comments');
$simulator->post('edit_comment', { workspace => 'dev', vendor => 'clickup', comment => value(q{SELECT remote_id FROM zcsync.comments WHERE body = 'from a developer 30'}), reply => 'an answer' });
$flow->polls;
look('a reply', q{SELECT count(*) = 1 FROM zcsync.comments r JOIN zcsync.comments c ON c.remote_id = r.reply_to WHERE r.body = 'an answer' AND c.body = 'from a developer 30' AND r.author_name IS NOT NULL});
note('a reply: ' . (calls(qr{/task/$task/comment$}, 'clickup') - $pages) . ' calls for the task, ' . calls(qr{/reply$}, 'clickup') . ' for the reply');
cmp_ok(calls(qr{/reply$}, 'clickup'), '<=', 2, 'replies are read where their number differs');

# files of the task, when all is read
value("UPDATE zcsync.conversations SET read_at = read_at - interval '2 days' WHERE remote_id = '$task'");
$simulator->post('touch', { workspace => 'dev', id => $task, text => 'a file', files => [ { id => 'f1.txt', title => 'f.txt' } ] });
$flow->polls;
look('a file of a task', q{SELECT count(*) = 1 FROM zcsync.attachments WHERE parent_kind = 'tasks' AND name = 'f.txt' AND comment_id IS NULL});

# deleted ones, when the task is read again
my $gone = value(q{SELECT remote_id FROM zcsync.comments WHERE body = 'from a developer 30'});
$simulator->post('edit_comment', { workspace => 'dev', vendor => 'clickup', comment => $gone, remove => 1 });
$simulator->post('touch', { workspace => 'dev', id => $task, text => 'from a developer 31' });
$flow->polls;
look('a deleted comment and the answer to it', "SELECT count(*) = 2 FROM zcsync.comments WHERE '$gone' IN (remote_id, reply_to) AND deleted_at IS NOT NULL");
is(value(q{SELECT count(*) FROM zcsync.comments WHERE parent_kind = 'tasks' AND deleted_at IS NOT NULL}), 2, 'and no other');

# the text is in the rows of comments, and nowhere else
for my $table (qw(changes sync_records dead_letters sync_queue alerts links route_errors conflicts conversations))
{
	is(value("SELECT count(*) FROM zcsync.$table AS t WHERE t::text ~ 'hush|for everybody|old note'"), 0, "no text in $table");
}
is(value(q{SELECT count(*) FROM zcsync.tasks AS t WHERE to_jsonb(t)::text ~ 'hush|old note'}), 0, 'no private text in a task');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job failed');

# all, and none
value(q{SELECT zcsync.alter_stream('acme/tickets', comments => 'all')});
look('all tickets', q{SELECT count(*) = (SELECT count(*) FROM zcsync.tickets WHERE deleted_at IS NULL) AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations WHERE kind = 'tickets'});
is(value(q{SELECT count(*) FROM zcsync.comments WHERE body = 'still elsewhere'}), 1, 'comments of a ticket without a counterpart');
value(q{SELECT zcsync.alter_stream('acme/tickets', comments => 'none')});
is(value(q{SELECT count(*) FROM zcsync.conversations WHERE kind = 'tickets'}), 0, 'none is followed');
my $before = calls(qr{ticket_events|/comments$});
$flow->polls;
cmp_ok(calls(qr{ticket_events|/comments$}), '<=', $before + 1, 'and nothing is read');

done_testing();
