# Who and what records refer to is mirrored: companies, groups, brands, forms.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 30, '--tasks', 0, '--zendesk-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }

# Read every stream again, to its end.
sub work
{
	value('UPDATE zcsync.streams SET next_pull_at = now()');
	for (1 .. 12)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'});
		run_worker($node, 'postgres', '20 s');
		return if value(q{SELECT count(*) FROM zcsync.sync_queue}) == 0;
	}
}

# Requests whose path matches.
sub calls
{
	my ($path, $vendor) = @_;
	return scalar grep { $_->{path} =~ $path } @{ $simulator->get('requests', vendor => $vendor, limit => 100000)->{requests} };
}

# ---------------------------------------------------------------------
# Zendesk
# ---------------------------------------------------------------------
$simulator->post('settings', { no_forms => 1 });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'groups', fields => { name => "Group $_", default => undef, deleted => undef } }) for 1 .. 120;
value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise", "high_volume": true}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream('acme', kind, since => CASE kind WHEN 'companies' THEN '2000-01-01'::timestamptz END) FROM unnest('{companies,fields}'::text[]) AS kind},
	$simulator->zendesk);
work();
is(value(q{SELECT string_agg(name, ',' ORDER BY name) FROM zcsync.companies WHERE type = 'organization'}), 'Contoso,Fabrikam,Globex Customers,Northwind Traders', 'organizations are companies');
is(value(q{SELECT string_agg(concat_ws(' ', remote_id, jsonb_array_length(options)), ',' ORDER BY remote_id) FROM zcsync.fields WHERE scope_id = 'system'}),
	'brand 1,group 123', 'all groups and brands, although the plan has no forms');
is(value(q{SELECT count(*) FROM zcsync.errors}), 0, 'which is no error');
is(calls(qr{/groups}, 'zendesk'), 2, 'in pages');

# what changes, and what the catalogue has lost
my $id = value(q{SELECT remote_id FROM zcsync.companies WHERE name = 'Contoso'});
$simulator->post('settings', { no_forms => 0 });
$simulator->post('holdback', { seconds => -5 });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'organizations', id => $id,
	fields => { domain_names => ['contoso.example'], external_id => 'crm-7', organization_fields => { tier => 'gold' } } });
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'organizations', fields => { name => 'Initech' } });
my ($group) = split /\n/, value(q{SELECT o ->> 'id' FROM zcsync.fields, jsonb_array_elements(options) AS o WHERE remote_id = 'group' AND o ->> 'name' = 'Group 7'});
$simulator->post('catalogue', { vendor => 'zendesk', catalogue => 'groups', id => $group, remove => 1 });
# the export shows what has changed until five minutes ago at the latest, so time passes
$simulator->post('clock', { advance_seconds => 400 });
value(q{UPDATE zcsync.streams SET live_cursor = jsonb_build_object('start_time', extract(epoch FROM now() - interval '10 minutes')::bigint) WHERE kind = 'companies'});
work();
is(value(q{SELECT concat_ws('|', domain, external_id, custom_fields ->> 'tier') FROM zcsync.companies WHERE name = 'Contoso'}), 'contoso.example|crm-7|gold', 'a change of an organization');
is(value(q{SELECT count(*) FROM zcsync.companies WHERE name = 'Initech'}), 1, 'and a new one');
is(value(q{SELECT string_agg(concat_ws(' ', remote_id, jsonb_array_length(options)), ',' ORDER BY remote_id) FROM zcsync.fields WHERE scope_id = 'system'}),
	'brand 1,form 1,group 122', 'a group less, and forms');
is(value(q{SELECT count(*) FROM zcsync.tickets t WHERE NOT EXISTS (SELECT FROM zcsync.fields f, jsonb_array_elements(f.options) AS o WHERE f.remote_id = 'form' AND o ->> 'id' = t.form_id)}),
	0, 'the form of each ticket is known');
my $before = calls(qr{/organizations}, 'zendesk');
work();
is(calls(qr{/organizations}, 'zendesk'), $before + 1, 'one call while nothing changes');

done_testing();
