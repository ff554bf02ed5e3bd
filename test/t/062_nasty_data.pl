# Awkward text survives the way from a ticket through its row to a task and
# back, and cannot change what is sent but its own value.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Encode qw(encode);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use CannedServer;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 10, tasks => 5, simulator => ['--nasty']);
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# A value as an SQL literal, by way of JSON, so that any character passes.
sub literal
{
	return "('" . ($json->encode($_[0]) =~ s/'/''/gr) . "'::jsonb #>> '{}')";
}

# A value of the database as Perl's text.
sub text
{
	my ($query) = @_;
	my $value = $flow->value("SELECT to_jsonb(x.v) FROM ($query) AS x (v)");

	return $value eq '' ? undef : $json->decode($value);
}

my %text = (
	emoji => "👩‍👩‍👧‍👦 \x{1F3F4}\x{E0067}\x{E0062}\x{E007F} ❤️",
	'right to left' => "مرحبا \x{202E}txt.exe\x{202C} שלום \x{200F}",
	html => '<script>alert("x")</script>&amp;&lt;b>"\'</b><!-- ]]> -->',
	quotes => q{'; DROP TABLE zcsync.tickets; -- \\' $$ $1 %s %n {} \\u0041 \\\\},
	controls => "\x01\x02\x07\x08\x0b\x0c\x1b[31mred\x1b[0m\x7f\x{85}\x{2028}\x{2029}",
	lines => "first\r\nsecond\rthird\nX-Injected: yes\r\n\r\nGET /evil HTTP/1.1\r\nHost: x",
	json => '{"name": "x", "status": null}],"tasks":[{"id":"1"}',
	astral => "\x{10FFFD}\x{1F600}\x{FFFD}\x{FEFF}",
	combining => "Z\x{0334}\x{0321}a\x{0301}\x{0327}" . "\x{0301}" x 200,
	percent => 'a%00b%0d%0aSet-Cookie:%20x?y=1&z=#frag/../..');

for my $name (sort keys %text)
{
	$simulator->post('create', { account => 'acme', fields => {
		subject => "$name: " . ($text{$name} =~ s/[\r\n]+/ /gr), description => "$text{$name}\nend",
		tags => ['nasty'], priority => 'normal' } });
}
# Nothing but what must be there; and everything null that can be.
$simulator->post('create', { account => 'acme', fields => { subject => 'nulls', description => 'n',
	priority => undef, type => undef, assignee_id => undef, group_id => undef, organization_id => undef, due_at => undef,
	external_id => undef } });

ok($flow->mirror, 'both sides are read');
wait_until($node, 'postgres', 'SELECT count(*) = 15 + ' . (keys %text) . ' FROM zcsync.tickets', 'all tickets are rows');
is($flow->value('SELECT count(*) FROM zcsync.errors'), 0, 'none failed');

# Ticket to row.
for my $name (sort keys %text)
{
	is(text("SELECT description FROM zcsync.tickets WHERE subject LIKE '$name: %'"), "$text{$name}\nend", "ticket to row: $name");
}
like(text(q{SELECT subject FROM zcsync.tickets WHERE subject LIKE '%NUL%'}), qr/^Subject with a NUL \x{FFFD} inside$/, 'ticket to row: U+0000 is U+FFFD');
like(text(q{SELECT subject FROM zcsync.tickets WHERE subject LIKE 'Lone%'}), qr/^Lone surrogate \x{FFFD} in the subject$/, 'ticket to row: so is a lone surrogate');
is($flow->value(q{SELECT length(description) FROM zcsync.tickets WHERE subject LIKE 'One megabyte%'}), 95000 * 11 - 1, 'ticket to row: a megabyte');
is($flow->value(q{SELECT cardinality(tags) FROM zcsync.tickets WHERE subject LIKE 'Ten thousand%'}), 910, 'ticket to row: many tags');
is($flow->value(q{SELECT concat_ws(',', priority, type, group_id, due_at, external_id) FROM zcsync.tickets WHERE subject = 'nulls'}), '', 'ticket to row: nulls');

# Row to task.
$flow->value(q{SELECT zcsync.add_route('all', source => 'acme/tickets', target => 'dev/tasks',
	filter => $$tags && '{nasty}' OR subject = 'nulls' OR subject LIKE 'Ten thousand%'$$,
	create_in => 'Engineering/Product/Bugs', default_assignee => '185');
SELECT zcsync.map_value('all', 'status', s, 'in progress') FROM unnest('{new,open,pending,hold}'::text[]) AS s;
SELECT zcsync.map_field('all', 'tags', 'tags[1:20]');
SELECT zcsync.resume_route('all'); SELECT * FROM zcsync.backfill_route('all', confirm => true)});
$flow->settle('all have tasks');
is($flow->value('SELECT count(*) FROM zcsync.links l JOIN zcsync.tasks t ON t.local_id = l.target_id AND t.remote_id IS NOT NULL'), 5 + keys %text, 'each has one');
is($flow->value("SELECT coalesce(string_agg(reference || ' ' || message, '; '), '') FROM zcsync.errors"), '', 'none failed');

my %task = map { $_->{id} => $_ } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 100000)->{tasks} };

sub task_of
{
	my ($where) = @_;
	return $task{ $flow->value("SELECT k.remote_id FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id
		JOIN zcsync.tasks k ON k.local_id = l.target_id WHERE t.$where") };
}

for my $name (sort keys %text)
{
	my $task = task_of("subject LIKE '$name: %'");
	cmp_ok(index($task->{description}, "$text{$name}\nend"), '>=', 0, "row to task: $name")
	  or diag explain $task->{description}, $text{$name};
	is($task->{name}, text("SELECT btrim(subject) FROM zcsync.tickets WHERE subject LIKE '$name: %'"), "row to task: the name, too");
}
my $megabyte = task_of("subject LIKE 'One megabyte%'");
ok(index($megabyte->{description}, join ' ', map { sprintf 'word%06x', $_ } 0 .. 94_999) >= 0, 'row to task: a megabyte');
is(task_of("subject = 'nulls'")->{name}, 'nulls', 'row to task: nulls');
is(scalar @{ $simulator->get('ledger', vendor => 'clickup', operation => 'create', limit => 10000)->{writes} }, 5 + keys %text, 'nothing was made that was not meant');
is(scalar(grep { $_->{path} !~ m{^/(?:zendesk/acme|clickup)/} } @{ $simulator->get('requests', limit => 100000)->{requests} }), 0, 'no request went elsewhere');

# It all comes back, and is no news.
my $writes = $flow->last_write;
$flow->polls(2);
is($flow->last_write, $writes, 'what comes back causes no write');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE sync_state <> 'synced'}), 0, 'all rows are in step');

# Local edits of every kind, and text in each place that ends up in a header or
# an address.
my ($field) = map { $_->{id} } grep { $_->{type} eq 'text' } @{ $simulator->get('info')->{clickup}{dev}{fields} // [] };
for my $name (sort keys %text)
{
	$flow->value("INSERT INTO zcsync.tasks (account_id, list_id, name, description, tags)
		VALUES (zcsync.account('dev'), '$bugs', 'local $name ' || " . literal($text{$name} =~ s/[\r\n]+/ /gr) . ", " . literal($text{$name}) . ",
			ARRAY['tag ' || " . literal($text{$name} =~ s/\s+/ /gr =~ s/.{60}\K.*//sr) . "])");
}
$flow->settle('local tasks are made');
is($flow->value(q{SELECT coalesce(string_agg(name || ': ' || sync_state, '; '), '') FROM zcsync.tasks WHERE name LIKE 'local %' AND (remote_id IS NULL OR sync_state <> 'synced')}), '', 'all of them')
  or diag $flow->value('SELECT * FROM zcsync.errors');
# Tags are parts of addresses.
my @tags = ('a/b?c#d%2f&é😀 "x"', '../..');
$flow->value('UPDATE zcsync.tasks SET tags = ARRAY[' . join(', ', map { literal($_) } @tags) . "] WHERE name LIKE 'local html%'");
$flow->settle('tags are sent');
%task = map { $_->{id} => $_ } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 100000)->{tasks} };
my $tagged = $task{ $flow->value(q{SELECT remote_id FROM zcsync.tasks WHERE name LIKE 'local html%'}) };
is_deeply([ sort map { $_->{name} } @{ $tagged->{tags} } ], [ sort @tags ], 'tags are tags, whatever is in them')
  or diag $flow->value('SELECT * FROM zcsync.errors');

# Identifiers that are no identifiers reach no address.
for my $id ("x\r\nX-Injected: yes", '1/../../../team', '1?a=b', '%0d%0a', "\t", 'é', '..', '')
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT class FROM zcsync._call(zcsync.account('dev'), jsonb_build_object('op', 'get_task', 'task_id', " . literal($id) . '))');
	unlike("$out$err", qr/^done$/m, 'an id that is none: ' . $json->encode($id));
}
my @requests = $flow->requests;
is(join(' ', map { $_->{path} } grep { $_->{method} eq 'GET' && $_->{path} !~ m{^/(?:zendesk/acme|clickup)/api/v2/(?:task/[^/]+(?:/comment)?|tickets/\d+/comments|team/9001001/task|incremental/tickets/cursor|team/9001001/space|(?:space|folder|list)/\d+(?:/(?:folder|list|task|field))?|tickets/count|team|team/9001001|oauth/tokens)$} } @requests), '',
	'no address but those that are meant');
is(scalar(grep { grep { /injected/i } keys %{ $_->{headers} } } @requests), 0, 'no header was injected');

# ---------------------------------------------------------------------
# Replies that are no replies are failures as data.
# ---------------------------------------------------------------------
my $server = CannedServer->start(PostgreSQL::Test::Utils::tempdir());
my $url = $server->url;
$flow->value(qq{SELECT zcsync.add_account('canned', 'clickup', '{"workspace_id": "1", "base_url": "$url"}', '{"token": "pk_1_SECRET"}')});

sub canned
{
	my ($body, @headers) = @_;
	$server->reply(200, [ @headers ? @headers : 'Content-Type: application/json' ], $body);
	return $flow->value(q{SELECT class || ': ' || coalesce(message, '') FROM zcsync._call(zcsync.account('canned'), '{"op": "team"}')});
}

like(canned("{\"teams\": [{\"id\": \"1\", \"name\": \"a\xff\xfe\"}]}"), qr/^(?:broken: .*|done: )$/, 'invalid UTF-8 does not end the session');
unlike(canned("{\"teams\": [{\"id\": \"1\", \"name\": \"a\xff\xfe\"}]}"), qr/^done/, 'invalid UTF-8 is a failure');
like(canned($_->[1]), qr/^(?:broken|vendor|rejected): ./, "a failure with a message: $_->[0]")
  for [ 'overlong UTF-8', "{\"teams\": [\"\xc0\xaf\"]}" ], [ 'a surrogate in UTF-8', "{\"teams\": [\"\xed\xa0\x80\"]}" ],
  [ 'a bare NUL', "{\"teams\": [\"a\0b\"]}" ], [ 'nothing', '' ], [ 'half a reply', '{"teams": [' ], [ 'two replies', '{"teams": []}{"teams": []}' ],
  [ 'nesting', '[' x 100_000 ], [ 'deep objects', '{"a":' x 100_000 ], [ 'not JSON', 'OK' ], [ 'UTF-16', encode('UTF-16', '{"teams": []}') ];
is(canned('{"teams": [{"id": "1", "name": "a\\u0000b\\ud800c"}]}'), 'done: ', 'escapes of what cannot be stored are none');

is(log_lines($node, 'PANIC|FATAL|terminated by signal|ERROR:  (?!invalid)'), 0, 'no error in the log')
  or diag join "\n", grep { /PANIC|FATAL|ERROR/ } split /\n/, slurp_file($node->logfile);
$node->stop;
done_testing();
