package Simulator::HaloPSA::Webhooks;

# HaloPSA's endpoints of webhooks, and what they send.  Nothing is signed:
# where a user name is set, deliveries carry Basic authentication.
#
# The subs become methods of Simulator::HaloPSA.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::JSON qw(decode_json encode_json false true);
use Mojo::Util qw(b64_encode);
use Simulator::Vendor qw(is_string truthy);

our @EXPORT = qw(webhook_routes webhooks_list webhook_post record_changed);

my $TRIES = 3;

sub webhook_routes ($self)
{
	return ('GET api/webhook' => 'webhooks_list', 'POST api/webhook' => 'webhook_post');
}

sub _show ($hook)
{
	return { map { $_ => $hook->{$_} } grep { $_ ne 'password' } keys %$hook };
}

sub webhooks_list ($self, $q)
{
	my $hooks = $q->{i}->webhooks;

	return (200, [ map { _show($hooks->{$_}) } sort keys %$hooks ]);
}

sub webhook_post ($self, $q)
{
	my $instance = $q->{i};

	return $self->apply($q, sub ($element) {
		my $old = defined $element->{id} ? $instance->webhooks->{ $element->{id} } // $self->missing('Webhook') : undef;
		my %hook = (name => '', url => '', enabled => true, username => '', password => '', %{ $old // {} }, map { $_ => $element->{$_} } grep { exists $element->{$_} } qw(name url enabled username password));

		$self->error(400, 'Invalid Payload URL', 'message') if !is_string($hook{url}) || $hook{url} !~ m{^https?://[^\s/]+}i;
		return sub {
			$hook{id} //= sprintf '7d1f0000-0000-4000-8000-%012x', ++$instance->{webhooks_made};
			$instance->webhooks->{ $hook{id} } = \%hook;
			$self->wrote($q, $old ? 'update' : 'create', $hook{id}, 201, entity => 'Webhook');
			return sub { return _show(\%hook) };
		};
	});
}

# A ticket or opportunity was made or changed, or got an action.
sub record_changed ($self, $instance, $ticket, $event, $action)
{
	for my $hook (grep { truthy($_->{enabled}) } values %{ $instance->webhooks })
	{
		my $body = encode_json({
			id => sprintf('6a5e0000-0000-4000-8000-%012x', ++$instance->{deliveries_made}), event => $event, webhook_id => $hook->{id}, object_id => $ticket->{id},
			timestamp => $instance->date($self->clock->now), ticket => { id => $ticket->{id}, summary => $ticket->{summary} },
			$action ? (action => { id => $action->{id}, ticket_id => $ticket->{id}, outcome => $action->{outcome} }) : () });
		my ($user, $password) = @$hook{qw(username password)};

		$self->webhooks->send(
			vendor => 'halopsa', account => $instance->name, webhook => $hook->{id}, event => $event, object => "$ticket->{id}",
			url => $hook->{url}, body => $body, tries => $TRIES, answered => sub { 0 },
			sign => sub ($bytes, $forged) {
				return length $user ? { Authorization => 'Basic ' . b64_encode($forged ? "$user:not the secret" : "$user:$password", '') } : {};
			});
	}
}

1;
