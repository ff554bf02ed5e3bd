package Simulator::HaloPSA::Catalogue;

# What an administrator of a HaloPSA instance has set up: statuses, priorities,
# ticket types, teams, agents, outcomes, custom fields.  Each function makes a
# new copy, so that a test may change it in one instance.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::JSON qw(false true);

our @EXPORT_OK = qw(statuses priorities ticket_types teams agents outcomes custom_fields);

# id, name, colour, for tickets or opportunities, whether it closes
my @STATUSES = (
	[ 1, 'New', '#5bc0de', 'ticket' ], [ 2, 'In Progress', '#428bca', 'ticket' ], [ 3, 'Pending', '#f0ad4e', 'ticket' ],
	[ 8, 'Cancelled', '#777777', 'ticket', 1 ], [ 9, 'Closed', '#444444', 'ticket', 1 ], [ 18, 'Resolved', '#5cb85c', 'ticket' ],
	[ 21, 'With User', '#9b59b6', 'ticket' ], [ 28, 'On Hold', '#aaaaaa', 'ticket' ],
	[ 40, 'New Lead', '#5bc0de', 'opportunity' ], [ 41, 'Contacted', '#428bca', 'opportunity' ],
	[ 42, 'Qualified', '#8bc34a', 'opportunity' ], [ 43, 'Proposal Sent', '#f0ad4e', 'opportunity' ],
	[ 44, 'Won', '#5cb85c', 'opportunity', 1 ], [ 45, 'Lost', '#d9534f', 'opportunity', 1 ], [ 46, 'Unqualified', '#777777', 'opportunity', 1 ]);

# id, name, hours to fix
my @PRIORITIES = ([ 1, 'Critical', 4 ], [ 2, 'High', 8 ], [ 3, 'Medium', 24 ], [ 4, 'Low', 40 ]);

# id, name, use, initial status, custom fields, mandatory fields
my @TYPES = (
	[ 1, 'Incident', 'tickets', 1, [ 206, 165, 211, 216, 175 ], [qw(summary details)] ],
	[ 3, 'Service Request', 'tickets', 1, [ 206, 210 .. 216, 175 ], [qw(summary details CFService)] ],
	[ 21, 'Change', 'tickets', 1, [ 165, 212, 215, 175 ], [qw(summary details category_1 CFimpact)] ],
	[ 40, 'Lead', 'opportunity', 40, [ 220 .. 225 ], [qw(summary oppcontactname)] ],
	[ 41, 'Opportunity', 'opportunity', 40, [ 220 .. 225 ], [qw(summary oppcompanyname oppvalue)] ],
	[ 50, 'Internal Project', 'project', 1, [], [qw(summary)] ]);

# id, name, for opportunities
my @TEAMS = ([ 26, '1st Line Support' ], [ 18, '2nd Line' ], [ 30, 'Networks & Security' ], [ 31, 'Sales', 1 ]);

# id, name, e-mail, team
my @AGENTS = (
	[ 1, 'Unassigned', '', 26, 'nobody' ], [ 3, 'Alex Admin', 'alex@%s.example', 26 ],
	[ 4, 'Dana Developer', 'dana@workspace.example', 18 ], [ 5, 'Erik Engineer', 'erik@workspace.example', 30 ],
	[ 6, 'Sam Sales', 'sam@%s.example', 31 ], [ 7, 'Tess Tech', 'tess@%s.example', 26 ], [ 8, 'Otto Old', 'otto@%s.example', 18, 'disabled' ]);

my @OUTCOMES = ([ 1, 'Email User' ], [ 2, 'Phone Call' ], [ 4, 'Public Note' ], [ 7, 'Private Note', 1 ], [ 9, 'Resolve' ], [ 20, 'Change Status', 1 ]);

# id, name, label, type (0 text, 1 memo, 2 single select, 3 multiple select,
# 4 date, 5 time, 6 checkbox, 10 rich text), options by id, more
my @FIELDS = (
	[ 165, 'CFimpact', 'Impact', 2, [ [ 1, 'Company Wide' ], [ 2, 'Multiple Users Affected' ], [ 3, 'Single User Affected' ] ] ],
	[ 175, 'CFPromisedBy', 'Promised by', 4, undef, inputtype => 1 ],
	[ 206, 'CFService', 'Service', 2, [ [ 33, 'E-mail' ], [ 34, 'Laptop & Desktop' ], [ 35, 'Export Support Service' ], [ 36, 'Telephony' ] ], listed => 1 ],
	[ 210, 'CFEnvironments', 'Environments', 3, [ [ 1, 'Production' ], [ 2, 'Staging' ], [ 3, 'Test' ], [ 4, 'Développement' ] ] ],
	[ 211, 'CFOrderNumber', 'Order number', 0, undef, listed => 1, characterlimit => 20 ],
	[ 212, 'CFBackground', 'Background', 1 ],
	[ 213, 'CFCallAt', 'Call at', 5 ],
	[ 214, 'CFChargeable', 'Chargeable', 6 ],
	[ 215, 'CFReport', 'Report', 10 ],
	[ 216, 'CFEffort', 'Effort', 0, undef, inputtype => 1 ],
	[ 220, 'CFLeadSource', 'Lead source', 2, [ [ 1, 'Apollo' ], [ 2, 'ZoomInfo' ], [ 3, 'CSV' ], [ 4, 'Manual' ], [ 5, 'Webinar' ] ], listed => 1 ],
	[ 221, 'CFFitScore', 'Fit score', 0, undef, inputtype => 1 ],
	[ 222, 'CFQualityScore', 'Quality score', 0, undef, inputtype => 1 ],
	[ 223, 'CFDoNotCall', 'Do not call', 6 ],
	[ 224, 'CFNextCall', 'Next call', 4 ],
	[ 225, 'CFProducts', 'Products', 3, [ [ 1, 'Backup' ], [ 2, 'Firewall' ], [ 3, 'Managed desktop' ] ] ]);

# The same every time, so that a client may keep them.
sub guid ($kind, $id)
{
	return sprintf '%08x-724c-e811-892e-b01041c8%04x', 0xaeb80000 + $kind, $id;
}

sub statuses
{
	my $sequence = 0;

	return [
		map {
			{   id => $_->[0], guid => guid(1, $_->[0]), name => $_->[1], shortname => '', use => $_->[3], closes => $_->[4] // 0,
				type => $_->[3] eq 'ticket' ? 0 : 1, sequence => ++$sequence, colour => $_->[2], slaaction => $_->[0] == 28 ? 'H' : '' }
		} @STATUSES ];
}

sub priorities
{
	return [
		map {
			{   id => guid(2, $_->[0]), slaid => 1, priorityid => $_->[0], name => $_->[1], fixtime => $_->[2], fixunits => 'H', responsetime => $_->[0], responseunits => 'H',
				ishidden => false, colour => '#000000', workdaysoverride => -1, startofdaytime => '00:00:00' }
		} @PRIORITIES ];
}

sub ticket_types
{
	my $sequence = 0;

	return [
		map {
			{   id => $_->[0], guid => guid(3, $_->[0]), name => $_->[1], use => $_->[2], sequence => ++$sequence, initial_status => $_->[3],
				fields => [ @{ $_->[4] } ], mandatory => [ @{ $_->[5] } ] }
		} @TYPES ];
}

sub teams
{
	my $sequence = 0;

	return [
		map {
			{   id => $_->[0], guid => guid(4, $_->[0]), name => $_->[1], sequence => ++$sequence, forrequests => $_->[2] ? false : true,
				foropps => $_->[2] ? true : false, forprojects => false, department_id => 17, inactive => false, use => 'team' }
		} @TEAMS ];
}

sub agents ($instance)
{
	return [
		map {
			my ($first, $last) = split / /, $_->[1];
			{   id => $_->[0], name => $_->[1], firstname => $first, surname => $last // '', email => $_->[2] =~ s/%s/$instance/r,
				team_id => $_->[3], isdisabled => ($_->[4] // '') eq 'disabled' ? true : false, is_agent => true, initials => substr($first, 0, 1) . substr($last // '', 0, 1),
				colour => '#2bd3c6', lastlogindate => $_->[4] ? '1899-12-30T00:00:00' : '2026-01-09T09:37:08.7', use => 'agent' }
		} @AGENTS ];
}

sub outcomes
{
	return [ map { { id => $_->[0], outcome => $_->[1], hidden => $_->[2] // 0 } } @OUTCOMES ];
}

sub custom_fields
{
	return [
		map {
			my ($id, $name, $label, $type, $options, %more) = @$_;
			{   id => $id, guid => guid(5, $id), name => $name, label => $label, type => $type, lookup => $options ? 1000 + $id : 0,
				options => [ map { { id => $_->[0], name => $_->[1] } } @{ $options // [] } ], inputtype => 0, characterlimit => 0, listed => 0, %more }
		} @FIELDS ];
}

1;
