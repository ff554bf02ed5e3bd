package Simulator::HaloPSA::Seed;

# Fill a HaloPSA instance with made-up clients, sites, users, tickets and
# opportunities, the same for the same seed number but for the times.

use Mojo::Base -base, -signatures;
use utf8;
use POSIX ();
use Simulator::Seed;

has 'random';

my $DAYS = 400;

# name, domain, site beside Main, more.  The domains are those of the help
# desk's customers; two clients have nothing but addresses at a mail provider.
my @CLIENTS = (
	[ 'Unknown', '' ],
	[ 'Northwind Traders', 'northwindtraders.example', 'Depot Øst' ],
	[ 'Contoso', 'contoso.example' ],
	[ 'Fabrikam', 'fabrikam.example', 'Warehouse' ],
	[ 'Globex', 'globex.example' ],
	[ 'Initech', 'initech.example' ],
	[ 'Umbrella Logistics', 'umbrellalogistics.example', 'Hafen' ],
	[ 'Stark Foods', 'starkfoods.example' ],
	[ 'Wayne Printing', 'wayneprinting.example' ],
	[ 'Acme Rentals', 'acmerentals.example' ],
	[ 'Bäckerei Müller', 'gmail.com' ],
	[ 'Smith & Sons', 'gmail.com' ],
	[ 'Tyrell Optics', 'tyrelloptics.example', undef, prospect => 1 ],
	[ 'Vandelay (closed down)', 'vandelay.example', undef, inactive => 1 ]);
my @TITLES = ('Office Manager', 'CFO', 'Head of IT', 'Accountant', 'Chief Executive', 'Technician', '');

sub new ($class, $seed)
{
	return $class->SUPER::new(random => Simulator::Seed->new($seed));
}

sub fill ($self, $instance, $tickets, $leads)
{
	my $now = int $instance->clock->now;

	$self->_clients($instance, $now);
	$self->_users($instance, $now, 3 + int($tickets / 200));
	my @users = grep { !$_->{inactive} } map { $instance->users->{$_} } sort { $a <=> $b } keys %{ $instance->users };
	my $count = $tickets + $leads;
	for my $i (1 .. $count)
	{
		# The newest are minutes old.  Leads are spread over the tickets.
		my $created = $now - 600 - int(($DAYS * 86400 - 600) * ($count - $i + 1) / $count) + $self->random->below(10_000_000) / 10_000_000;
		my $lead = int($i * $leads / $count) > int(($i - 1) * $leads / $count);
		$lead ? $self->_lead($instance, $created, $now) : $self->_ticket($instance, $created, $now, \@users);
	}
}

sub _clients ($self, $instance, $now)
{
	for my $client (@CLIENTS)
	{
		my ($name, $domain, $site, %more) = @$client;
		my $time = $now - ($DAYS + 100) * 86400 + $self->random->below(86_400_000) / 1000;
		my $made = $instance->add_client(
			name => $name, domain => $domain, website => $domain =~ /example/ ? "https://www.$domain" : '', time => $time,
			ref => $self->random->chance(40) ? sprintf('C%05d', $self->random->below(100_000)) : '',
			phonenumber => sprintf('+44 20 7946 %04d', $self->random->below(1000)), %more);
		$instance->add_site(client_id => $made->{id}, name => $site, time => $time) if defined $site;
	}
}

sub _users ($self, $instance, $now, $count)
{
	my %taken;

	for my $client (map { $instance->clients->{$_} } sort { $a <=> $b } keys %{ $instance->clients })
	{
		next if $client->{name} eq 'Unknown';
		my @sites = grep { $_->{client_id} == $client->{id} } map { $instance->sites->{$_} } sort { $a <=> $b } keys %{ $instance->sites };
		for my $n (1 .. $count)
		{
			my $name = $self->random->person;
			my ($first, $last) = $name =~ /^(\S+) (.*)$/;
			my $address = Mojo::Util::encode('UTF-8', lc "$first.$last") =~ s/[^a-z.]//gr;
			$address .= $client->{id} if $client->{domain} !~ /example/;
			$address .= $taken{"$address\@$client->{domain}"} if $taken{"$address\@$client->{domain}"}++;
			$instance->add_user(
				name => $name, firstname => $first, surname => $last, emailaddress => "$address\@$client->{domain}", site_id => $self->random->pick(@sites)->{id},
				title => $self->random->pick(@TITLES), inactive => $self->random->chance(5) || $client->{inactive} ? 1 : 0,
				phonenumber => $self->random->chance(60) ? sprintf('+44 20 7946 %04d', $self->random->below(1000)) : '',
				mobilenumber => $self->random->chance(30) ? sprintf('07700 900%03d', $self->random->below(1000)) : '',
				time => $now - $DAYS * 86400 + $self->random->below(86_400_000) / 1000);
		}
	}
}

sub _updated ($self, $created, $now)
{
	return $created + $self->random->below(($now - 300 - $created) / ($self->random->chance(70) ? 20 : 1) + 1) + $self->random->below(10_000_000) / 10_000_000;
}

sub _ticket ($self, $instance, $created, $now, $users)
{
	my $random = $self->random;
	my ($summary, $details) = $random->text;
	my $user = $random->chance(90) ? $users->[ $random->below(scalar @$users) ] : undef;
	my $type = $random->pick(1, 1, 1, 3, 3, 21);
	my $status = $random->pick(1, 1, 2, 2, 2, 3, 18, 9, 9, 9, 8, 28, 21);
	my $site = $user ? $instance->sites->{ $user->{site_id} } : $instance->sites->{18};
	my %tags = map { $_ => 1 } map { $random->pick(qw(printer vpn billing vip onboarding hardware)) } 1 .. $random->below(3);
	my $ticket = $instance->insert(
		tickettype_id => $type, summary => $summary, details => $details, status_id => $status, priority_id => 1 + $random->below(4), created => $created,
		updated => $self->_updated($created, $now), user_id => $user ? $user->{id} : 0, site_id => $site->{id}, client_id => $site->{client_id},
		agent_id => $status == 1 ? 1 : $random->pick(3, 4, 5, 7), team => $random->pick('1st Line Support', '2nd Line', 'Networks & Security'),
		category_1 => $random->pick('Hardware>Laptop', 'Software>Office', 'Network'), tags => [ sort keys %tags ],
		third_party_id_string => $random->chance(5) ? sprintf('erp:%d', $random->below(100_000)) : '',
		custom => $self->_custom($instance, $type, $now));

	$self->_notes($instance, $ticket);
}

sub _notes ($self, $instance, $ticket)
{
	for my $n (1 .. $self->random->below(3))
	{
		my $private = $self->random->chance(40);
		$instance->add_action(
			$ticket, outcome => $private ? 'Private Note' : 'Public Note', outcome_id => $private ? 7 : 4, hidden => $private ? 1 : 0, note => ($self->random->text)[1],
			who => $self->random->pick('Alex Admin', 'Tess Tech'), time => $ticket->{created} + ($ticket->{updated} - $ticket->{created}) * $n / 4);
	}
	$ticket->{acted} = $ticket->{updated};
}

sub _lead ($self, $instance, $created, $now)
{
	my $random = $self->random;
	my ($name, $company) = ($random->person, $random->pick('Hooli', 'Soylent Catering', 'Massive Dynamic', 'Cyberdyne GmbH', 'Duff & Co'));
	my ($first) = $name =~ /^(\S+)/;
	my $site = $instance->sites->{18};

	$instance->insert(
		tickettype_id => $random->pick(40, 40, 41), summary => "Lead: $company", details => ($random->text)[1], status_id => $random->pick(40, 40, 41, 42, 43, 44, 45),
		created => $created, updated => $self->_updated($created, $now), client_id => 1, site_id => $site->{id}, agent_id => $random->pick(1, 6), team => 'Sales',
		oppcontactname => $name, oppcompanyname => $company, oppjobtitle => $random->pick(@TITLES), opptel => sprintf('+1 415 555 %04d', 100 + $random->below(100)),
		oppemailaddress => Mojo::Util::encode('UTF-8', lc $first) =~ s/[^a-z]//gr . '@' . lc($company =~ s/\W.*//r) . '.example', oppaddr1 => '1 Main Street', oppaddr2 => 'Springfield',
		opppostcode => sprintf('%05d', $random->below(100_000)), oppcountry => $random->pick('United States', 'Germany', ''), oppvalue => 100 * $random->below(500),
		oppconversionprobability => 5 * $random->below(20), pipeline_stage_id => 1 + $random->below(4),
		custom => $self->_custom($instance, 40, $now));
}

# Values for the custom fields of a type, some left unset.
sub _custom ($self, $instance, $type, $now)
{
	my $random = $self->random;
	my %custom;

	for my $id (@{ $instance->in(ticket_types => $type)->{fields} })
	{
		my $field = $instance->in(custom_fields => $id);
		my @options = map { $_->{id} } @{ $field->{options} };
		next if $random->chance(40);
		$custom{$id} =
		    $field->{type} == 2  ? $random->pick(@options)
		  : $field->{type} == 3  ? [ grep { $random->chance(50) } @options ]
		  : $field->{type} == 4  ? POSIX::strftime('%Y-%m-%dT00:00:00', gmtime($now + ($random->below(60) - 30) * 86400))
		  : $field->{type} == 5  ? sprintf('%02d:%02d:00', $random->below(24), 15 * $random->below(4))
		  : $field->{type} == 6  ? $random->chance(50)
		  : $field->{type} == 10 ? '<p>Report: <b>' . Mojo::Util::xml_escape(($random->text)[0]) . '</b></p>'
		  : $field->{type} == 1  ? join "\n", map { "$_. " . ($random->text)[0] } 1 .. 3
		  : $field->{inputtype}  ? '' . $random->below(100)
		  :                        sprintf('ORD-%06d', $random->below(1_000_000));
	}
	return \%custom;
}

1;
