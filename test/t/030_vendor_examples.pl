# Every example reply in the vendors' own documents, for each operation that is
# used, passes through the connector and the vendor's SQL into columns.
#
# The documents are the vendors' and not part of this project; see
# test/simulator/lib/Simulator/OpenAPI.pm for where they are looked for.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use CannedServer;
use Simulator::OpenAPI;

my $documents = Simulator::OpenAPI->load;
plan skip_all => "the vendors' documents are not here" if !$documents || !keys %{ $documents->documents };

my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $server = CannedServer->start(PostgreSQL::Test::Utils::tempdir());
my $url = $server->url;
my $node = new_node('main', conf => "zcsync.databases = ''");
$node->start;
setup_zcsync($node, 'postgres');
$node->safe_psql('postgres', qq{
	SET client_min_messages = error;
	SELECT zcsync.add_account('zendesk', 'zendesk', '{"subdomain": "acme", "base_url": "$url"}', '{"email": "a\@example.com", "api_token": "secret"}');
	SELECT zcsync.add_account('clickup', 'clickup', '{"workspace_id": "1", "base_url": "$url"}', '{"token": "pk_1_SECRET"}');});

# vendor, method and path, request, kind of the rows (or none)
my @operations = (
	[ 'zendesk', 'get /api/v2/incremental/tickets/cursor', { op => 'incremental', kind => 'tickets', start_time => 1 }, 'tickets' ],
	[ 'zendesk', 'get /api/v2/incremental/users/cursor', { op => 'incremental', kind => 'users', start_time => 1 }, 'contacts' ],
	[ 'zendesk', 'get /api/v2/tickets/show_many', { op => 'show_many', ids => [ 1, 2 ] }, 'tickets' ],
	[ 'zendesk', 'get /api/v2/tickets/count', { op => 'count' } ],
	[ 'zendesk', 'get /api/v2/ticket_fields', { op => 'ticket_fields' }, 'fields' ],
	[ 'zendesk', 'get /api/v2/custom_statuses', { op => 'custom_statuses' }, 'statuses' ],
	[ 'zendesk', 'get /api/v2/users/me', { op => 'users_me' } ],
	[ 'clickup', 'get /v2/team', { op => 'team' }, 'contacts' ],
	[ 'clickup', 'get /v2/team/{team_id}/space', { op => 'spaces', team_id => 1 } ],
	[ 'clickup', 'get /v2/space/{space_id}/folder', { op => 'folders', space_id => 1 } ],
	[ 'clickup', 'get /v2/space/{space_id}/list', { op => 'space_lists', space_id => 1 } ],
	[ 'clickup', 'get /v2/folder/{folder_id}/list', { op => 'folder_lists', folder_id => 1 } ],
	[ 'clickup', 'get /v2/list/{list_id}', { op => 'list', list_id => 1 }, 'statuses' ],
	[ 'clickup', 'get /v2/list/{list_id}/field', { op => 'list_fields', list_id => 1 }, 'fields' ],
	[ 'clickup', 'get /v2/list/{list_id}/task', { op => 'list_tasks', list_id => 1, page => 0 }, 'tasks' ],
	[ 'clickup', 'get /v2/team/{team_Id}/task', { op => 'team_tasks', team_id => 1, page => 0 }, 'tasks' ],
	[ 'clickup', 'get /v2/task/{task_id}', { op => 'get_task', task_id => 'x' }, 'tasks' ],
	[ 'clickup', 'post /v2/list/{list_id}/task', { op => 'create_task', list_id => 1, body => {} }, 'tasks' ],
	[ 'clickup', 'put /v2/task/{task_id}', { op => 'update_task', task_id => 'x', body => {} }, 'tasks' ],
	[ 'clickup', 'put /v3/workspaces/{workspace_id}/tasks/{task_id}/home_list/{list_id}', { op => 'move_task', team_id => 1, task_id => 'x', list_id => 1, body => {} } ],
	[ 'clickup', 'post /v2/task/{task_id}/field/{field_id}', { op => 'set_field', task_id => 'x', field_id => 'y', body => { value => 1 } } ],
	[ 'clickup', 'delete /v2/task/{task_id}/field/{field_id}', { op => 'clear_field', task_id => 'x', field_id => 'y' } ],
	[ 'clickup', 'post /v2/task/{task_id}/tag/{tag_name}', { op => 'add_tag', task_id => 'x', tag => 'a b/c' } ],
	[ 'clickup', 'delete /v2/task/{task_id}/tag/{tag_name}', { op => 'remove_tag', task_id => 'x', tag => 'a' } ]);

# What a reference stands for, as in "#/components/examples/X".
sub resolve
{
	my ($document, $node) = @_;

	while (ref $node eq 'HASH' && defined $node->{'$ref'})
	{
		my @steps = map { s/%([0-9A-Fa-f]{2})/chr hex $1/ger =~ s{~1}{/}gr =~ s{~0}{~}gr } split m{/}, $node->{'$ref'} =~ s{^#/}{}r;
		$node = $document;
		$node = ref $node eq 'ARRAY' ? $node->[$_] : $node->{$_} foreach @steps;
	}
	return $node;
}

# The examples of an operation's success, wherever OpenAPI allows them; if
# there is none, a value made of the examples in its schema.
sub examples
{
	my ($document, $method, $path) = @_;
	my $operation = $document->{paths}{$path}{$method} or return;
	my @found;

	for my $status (grep { /^2/ } sort keys %{ $operation->{responses} })
	{
		my $content = resolve($document, $operation->{responses}{$status})->{content}{'application/json'} or next;
		my $schema = resolve($document, $content->{schema} // {});
		my @examples = map { resolve($document, $_) } values %{ $content->{examples} // {} };

		push @found, $content->{example} if exists $content->{example};
		push @found, map { $_->{value} } grep { ref && exists $_->{value} } @examples;
		push @found, $schema->{example} if exists $schema->{example};
		push @found, @{ $schema->{examples} } if ref $schema->{examples} eq 'ARRAY';
		push @found, sample($document, $schema, 0) if !@found;
	}
	return @found;
}

sub sample
{
	my ($document, $schema, $depth) = @_;

	$schema = resolve($document, $schema);
	return undef if ref $schema ne 'HASH' || $depth > 8;
	return $schema->{example} if exists $schema->{example};
	return $schema->{examples}[0] if ref $schema->{examples} eq 'ARRAY' && @{ $schema->{examples} };
	return { map { my $part = sample($document, $_, $depth + 1); ref $part eq 'HASH' ? %$part : () } @{ $schema->{allOf} } } if $schema->{allOf};
	for my $choice (@{ $schema->{oneOf} // $schema->{anyOf} // [] })
	{
		return sample($document, $choice, $depth + 1);
	}
	return { map { $_ => sample($document, $schema->{properties}{$_}, $depth + 1) } keys %{ $schema->{properties} } } if $schema->{properties};
	return [ sample($document, $schema->{items}, $depth + 1) ] if $schema->{items};
	my ($type) = ref $schema->{type} eq 'ARRAY' ? @{ $schema->{type} } : $schema->{type} // 'null';
	return { string => 'text', integer => 7, number => 7, boolean => JSON::PP::false, object => {}, array => [] }->{$type};
}

# How many records of the kind an example holds.
sub records
{
	my ($example, $request, $kind) = @_;
	my %key = (fields => $request->{op} eq 'list_fields' ? 'fields' : 'ticket_fields',
		statuses => $request->{op} eq 'list' ? 'statuses' : 'custom_statuses', contacts => 'users', tickets => 'tickets', tasks => 'tasks');
	my $list = $example->{ $key{$kind} };

	return scalar @$list if ref $list eq 'ARRAY';
	return exists $example->{id} ? 1 : 0;
}

my %seen;

for (@operations)
{
	my ($vendor, $where, $request, $kind) = @$_;
	my ($method, $path) = split / /, $where;
	my $document = $documents->documents->{$vendor} or next;
	my $n = 0;

	ok(exists $document->{paths}{$path}{$method}, "$where is documented");
	for my $example (examples($document, $method, $path))
	{
		# tests of an error or of nothing are none of a success
		next if ref $example ne 'HASH';
		$n++;
		$server->reply(200, ['Content-Type: application/json; charset=utf-8'], $json->encode($example));
		my $call = $node->safe_psql('postgres', sprintf(q{SELECT jsonb_build_object('class', class, 'message', message, 'same', reply = '%s'::jsonb)
			FROM zcsync._call(zcsync.account('%s'), '%s')}, map { s/'/''/gr } $json->encode($example), $vendor, $json->encode($request)));
		$call = $json->decode($call);
		is($call->{class}, 'done', "$where: example $n is accepted") or diag explain $call, $example;
		ok($call->{same}, "$where: and handed on whole");

		# the address that was called is that of the document
		my ($line) = $server->request;
		my ($sent_method, $sent_path) = $line =~ m{^(\S+) ([^ ?]+)};
		(my $pattern = quotemeta($vendor eq 'clickup' ? "/api$path" : $path)) =~ s/\\\{.*?\\\}/[^\/]+/g;
		is(lc $sent_method, $method, "$where: method");
		like($sent_path, qr/^$pattern$/, "$where: path");
		next if !$kind;

		my $rows = $node->safe_psql('postgres', sprintf(q{SET timezone = 'UTC';
			SELECT count(*) FILTER (WHERE r.kind = '%2$s') || ' ' || coalesce(bool_and(r.remote_id <> '' AND CASE r.kind
				WHEN 'tickets' THEN to_jsonb(jsonb_populate_record(NULL::zcsync.tickets, r.vals)) @> r.vals
				WHEN 'tasks' THEN to_jsonb(jsonb_populate_record(NULL::zcsync.tasks, r.vals)) @> r.vals
				WHEN 'contacts' THEN to_jsonb(jsonb_populate_record(NULL::zcsync.contacts, r.vals)) @> r.vals
				WHEN 'fields' THEN to_jsonb(jsonb_populate_record(NULL::zcsync.fields, r.vals)) @> r.vals
				WHEN 'statuses' THEN to_jsonb(jsonb_populate_record(NULL::zcsync.statuses, r.vals)) @> r.vals END), true)
			FROM zcsync._%1$s_rows(zcsync.account('%1$s'), '%2$s', '%3$s', '%4$s') AS r},
			$vendor, $kind, map { s/'/''/gr } $json->encode($request), $json->encode($example)));
		if ($request->{op} eq 'team')
		{
			like($rows, qr/ true$/, "$where: members fit the columns");
			next;
		}
		is($rows, records($example, $request, $kind) . ' true', "$where: its records are rows that fit the columns");
		$seen{$kind} += records($example, $request, $kind);
	}
	note("$where: $n examples");
	$seen{$vendor} += $n;
}
cmp_ok($seen{$_}, '>', 0, "examples of $_") foreach grep { $documents->documents->{$_} } qw(zendesk clickup);

# Replies that a HaloPSA instance gave, as they came over the wire.
SKIP:
{
	my ($directory) = grep { -d } map { "$_/halopsa/fixtures" }
	  defined $ENV{ZCSYNC_VENDOR_DOCS} ? $ENV{ZCSYNC_VENDOR_DOCS} : glob('../vendor ../*/vendor');
	skip "the vendors' documents are not here", 1 if !defined $directory;

	$node->safe_psql('postgres', qq{SET client_min_messages = error;
		SELECT zcsync.add_account('halopsa', 'halopsa', '{"base_url": "$url"}', '{"client_id": "c", "client_secret": "s"}');
	});
	$server->reply(200, ['Content-Type: application/json'], '{"access_token": "fetched", "expires_in": 3600, "teams": []}');
	$node->safe_psql('postgres', q{SELECT * FROM zcsync._call(zcsync.account('halopsa'), '{"op": "list", "entity": "Team"}')});
	for (
		[ 'ticket-post-response-v1.json', { op => 'post', entity => 'Tickets', item => { id => 9499 }, match => { id => '9499' } }, 'tickets', {
				remote_id => '9499', remote_version => '2024-06-20T14:45:17.15210', subject => 'Halo via API at 2024-06-20T14:45:15.788760', description => 'Blah', status => '1', priority => '4', form_id => '36',
				organization_id => '12', site_id => '18', requester_id => '38', assignee_id => '1', group_id => '1st Line Support', tags => '["bug"]', external_id => '-',
				due_at => '2024-06-27T14:45:15.97462', created_at => '2024-06-20T14:45:15.97462', custom_fields => '{"165": 3, "174": "2024-06-20T14:45:16.49263+00:00", "175": "2024-06-20T14:45:16.492628+00:00"}' } ],
		[ 'ticket-post-response-v2.json', { op => 'get', entity => 'Tickets', id => '9950' }, 'tickets', {
				remote_id => '9950', remote_version => '2024-08-12T15:54:55.2847', subject => 'Test 2024-08-12', priority => '1', form_id => '28', group_id => '2nd Line', tags => '[]',
				due_at => '2024-08-28T07:30:00', custom_fields => '{"174": "2024-08-12T15:54:54.644786+00:00", "175": "2024-08-12T15:54:54.644781+00:00", "206": 35}' } ],
		[ 'user-detail.json', { op => 'get', entity => 'Users', id => '38' }, 'contacts', {
				remote_id => '38', remote_version => '2024-06-27T08:24:23.933', name => 'Some Body', email => 'some.body@example.com', phone => '-', organization_id => '12', site_id => '18',
				active => 'true', created_at => '2022-09-26T16:15:38.897', custom_fields => '{}' } ])
	{
		my ($name, $request, $kind, $expected) = @$_;
		my $text = slurp_file("$directory/$name");

		$server->reply($request->{op} eq 'post' ? 201 : 200, ['Content-Type: application/json; charset=utf-8'], $text);
		my $row = $node->safe_psql('postgres', sprintf(q{SET timezone = 'UTC';
			SELECT jsonb_build_object('class', c.class, 'fits', to_jsonb(jsonb_populate_record(NULL::zcsync.%1$s, r.vals)) @> r.vals, 'deleted', r.is_deleted)
				|| jsonb_build_object('row', r.vals || jsonb_build_object('remote_id', r.remote_id, 'remote_version', r.remote_version))
			FROM zcsync._call(zcsync.account('halopsa'), '%2$s') AS c, zcsync._halopsa_rows(zcsync.account('halopsa'), '%1$s', '%2$s', c.reply) AS r},
			$kind, $json->encode($request)));
		is(() = $row =~ /\n/g, 0, "$name: one row");
		$row = $json->decode($row);
		is($row->{class}, 'done', "$name is accepted");
		ok($row->{fits}, "$name fits the columns");
		ok(!$row->{deleted}, "$name is there");
		for my $column (sort keys %$expected)
		{
			my $value = $row->{row}{$column};
			$value = !defined $value ? '-' : ref $value && $value =~ /^[01]$/ ? ($value ? 'true' : 'false') : ref $value ? $json->encode($value) : $value;
			s/ //g foreach grep { /^[\[{]/ } $value, $expected->{$column};
			like($value, qr/^\Q$expected->{$column}\E/, "$name: $column");
		}
	}
}

done_testing();
