# Routes that lead in a circle over three streams, and texts that pretend to be
# copies.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 10, '--tasks', 0, '--zendesk-plan', 'none', '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 'none',
	'--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nzcsync.bulk_write_limit = 20\njit = off\n");

$simulator->post('holdback', { seconds => -2 });
$simulator->post('holdback', { seconds => -2, account => 'globex' });
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub create { my ($vendor, %fields) = @_; return $simulator->post('create', { $vendor eq 'halopsa' ? (vendor => 'halopsa', kind => 'ticket') : (account => $vendor), fields => \%fields })->{id}; }

# Work until nothing is left but reading; read what changed first.
sub work
{
	$simulator->post('clock', { advance_seconds => 4 });
	value(q{SELECT zcsync.refresh(a.name || '/' || s.kind) FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id) WHERE s.kind = 'tickets'});
	for (1 .. 5)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready' AND operation <> 'pull'});
		run_worker($node, 'postgres', '10 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'token')}) == 0
		  && value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	}
	return;
}

# Tickets at each vendor with this text in their subject.
sub tickets
{
	my ($subject) = @_;
	my @count;

	for my $path ([ 'state/tickets', account => 'acme' ], ['state/halopsa/tickets'], [ 'state/tickets', account => 'globex' ])
	{
		my ($what, @arguments) = @$path;
		push @count, scalar grep { ($_->{subject} // $_->{summary}) =~ /$subject/ } @{ $simulator->get($what, @arguments, limit => 100000)->{tickets} };
	}
	return "@count";
}

my $globex = $simulator->zendesk =~ s/acme$/globex/r;
value(sprintf <<'SQL', $simulator->zendesk, $globex, $simulator->halopsa);
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "base_url": "%s", "budgets": {"api": {"calls": 1000000}, "export": {"calls": 1000000}, "write": {"calls": 1000000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
SELECT zcsync.add_account('globex', 'zendesk', '{"subdomain": "globex", "base_url": "%s", "budgets": {"api": {"calls": 1000000}, "export": {"calls": 1000000}, "write": {"calls": 1000000}}}',
	'{"client_id": "client-globex", "client_secret": "secret-globex", "scope": "read write"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream(a, 'tickets', since => '2000-01-01') FROM unnest('{acme,globex,psa}'::text[]) AS a;
SELECT zcsync.alter_stream(a || '/tickets', writes => true) FROM unnest('{acme,globex,psa}'::text[]) AS a;
SELECT zcsync.add_stream('psa', kind, since => '2000-01-01') FROM unnest('{companies,contacts}'::text[]) AS kind;
SELECT zcsync.add_stream('psa', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SQL
work();

# ------------------------------------------------------------ a circle

value(q{SELECT zcsync.add_route('one', 'acme/tickets', 'psa/tickets', ticket_type => 'Incident', default_client => '12');
	SELECT zcsync.add_route('two', 'psa/tickets', 'globex/tickets');
	SELECT zcsync.add_route('three', 'globex/tickets', 'acme/tickets')});
value(q{SELECT zcsync.resume_route(r) FROM unnest('{one,two,three}'::text[]) AS r});
my $z = create('acme', subject => 'Around', description => 'Help', status => 'open', priority => 'normal');
work() for 1 .. 4;
is(tickets('Around'), '1 1 1', 'a ticket goes around once');
is(value(q{SELECT count(*) FROM zcsync.links}), 2, 'and ends where it began: what comes from there is not sent back');
is(value(q{SELECT coalesce(string_agg(reference || ': ' || message, '; '), '') FROM zcsync.errors}), '', 'nothing is wrong with it');

# ------------------------------------------------------------ forged copies

value(q{SELECT zcsync.remove_route(r) FROM unnest('{one,two,three}'::text[]) AS r});
my $h = create('halopsa', summary => 'Of somebody', details => 'secret', status_id => 2, tickettype_id => 1, client_id => 12);
work();
value(q{SELECT zcsync.add_route('one', 'acme/tickets', 'psa/tickets', ticket_type => 'Incident', default_client => '12'); SELECT zcsync.resume_route('one')});
my $url = value(qq{SELECT zcsync.record_url(zcsync.account('psa'), 'tickets', '$h')});
create('acme', subject => 'Forged', description => "Ticket #$h\n\nHelp\n\n$url", status => 'open', priority => 'normal');
work();
is(tickets('Forged'), '1 1 0', 'what a customer writes makes no ticket the copy of another one');
is(value(qq{SELECT count(*) FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.target_id WHERE t.remote_id = '$h'}), 0, 'which stays alone');

# The same at HaloPSA, of a ticket that is still to come.
create('acme', subject => 'First', description => 'Help', status => 'open', priority => 'normal');
my $next = value(q{SELECT max(remote_id::bigint) + 2 FROM zcsync.tickets WHERE account_id = zcsync.account('acme')});
$url = value(qq{SELECT zcsync.record_url(zcsync.account('acme'), 'tickets', '$next')});
create('halopsa', summary => 'Cites', details => "Ticket #$next\n\n$url", status_id => 2, tickettype_id => 1, client_id => 12, site_id => 18);
work();
is(create('acme', subject => 'Cited', description => 'Help', status => 'open', priority => 'normal'), $next, 'a ticket that was cited before');
work();
is(tickets('Cited'), '1 1 0', 'is not taken for the original of what a customer wrote');

$node->stop;
done_testing();
