package Simulator::Leads;

# Made-up exports of contacts from Apollo and ZoomInfo, and the truth about
# them: which rows are the same person.
#
# Rows are made so that the rule which decides leaves no doubt.  By that rule
# the same e-mail is the same person; else the score of two rows is the sum of
# weight times similarity of the fields that both have, divided by the sum of
# these weights (e-mail 0.4, name 0.3, phone 0.2, company 0.1; similarity of
# trigrams).  Above 0.95 they are merged, from 0.8 on flagged, and two different
# e-mails or a phone that many share never merge.
#
# Each person has a phone number of his own, which may be used, or an e-mail at
# a company's domain; names within a company are unlike each other, and those of people who also
# come without an e-mail are unlike all others.

use Mojo::Base -base, -signatures;
use utf8;
use Mojo::Util ();
use POSIX ();
use Simulator::Seed;

has [qw(random)];
has [qw(people rows)] => sub { [] };

my @FIRST = (
	qw(Anna Ben Carla Deniz Elif Farid Grace Hiro Ines Jonas Kavya Liam Mia Noor Omar Priya Quentin Rosa Samir Tara Uma Viktor Wendy Ximena Yusuf
	  Zoë Søren Łukasz Çağla André Björn Nadia Peter Ruth Tomás Ursula Walter Zeynep Bruno Chloé Dmitri Esther Felix Gudrun Hannah Igor Judith Klaus));
my @LAST = (
	qw(Abbott Berg Costa Dubois Eriksen Fischer Garcia Hansen Ito Jansen Khan Lopez Moreau Novak O'Neill Petrov Quinn Rossi Schmidt Tanaka Ueda Varga
	  Weber Xu Yılmaz Zhang Müller Østergård Nuñez Kowalski Lindqvist Papadopoulos Brankovic Delacroix Hoffmann Iyer Castellano Whitfield));
my @OTHER_SCRIPTS = ([ 'Ирина', 'Соколова' ], [ 'Νίκος', 'Αντωνίου' ], [ '小龙', '李' ], [ 'محمد', 'الحسن' ], [ '유진', '박' ]);

# Spellings of one name that do not normalise to the same.
my @SPELLINGS = ([ 'John', 'Jon' ], [ 'Catherine', 'Katherine' ], [ 'Philip', 'Phillip' ], [ 'Stephen', 'Steven' ], [ 'Sarah', 'Sara' ], [ 'Marc', 'Mark' ], [ 'Geoffrey', 'Jeffrey' ]);
my @ONSETS = qw(b br ch d dr f fl g gr h k kl l m n p pr qu r s st t tr v w z);
my @VOWELS = qw(a e i o u a e i o ai ei ou);
my @CODAS = ('', '', '', qw(n r l s nd rt));
my @STREETS = qw(Station Mill Church Park Harbour Queen Market River);
my @BRANCHES = qw(Systems Logistics Foods Optics Software Energy Textiles Robotics Pharma Shipping Partners Analytics Instruments Media);
my @SUFFIXES = (', Inc.', ' Inc', ' LLC', ' Ltd.', ' GmbH', ' Corp.', '', '');
my @TITLES = ('Head of IT', 'VP, Sales', 'VP Sales "EMEA"', 'Chief Financial Officer', 'Office Manager', 'CTO', 'Procurement Lead', 'Director of Operations', 'Systems Engineer', 'Owner & Founder');
my @INDUSTRIES = ('information technology & services', 'logistics & supply chain', 'food & beverages', 'machinery', 'hospital & health care', 'textiles');
my @PLACES = (
	[ 'San Francisco', 'California', 'United States', '94105' ], [ 'Austin', 'Texas', 'United States', '73301' ], [ 'Boston', 'Massachusetts', 'United States', '02108' ],
	[ 'London', 'England', 'United Kingdom', 'EC1A 1BB' ], [ 'München', 'Bayern', 'Germany', '80331' ], [ 'Berlin', 'Berlin', 'Germany', '10115' ] );
my %CALLING_CODES = ('United States' => [ 1, 10 ], 'United Kingdom' => [ 44, 10 ], Germany => [ 49, 10 ]);

my @APOLLO = (
	'First Name', 'Last Name', 'Title', 'Company', 'Email', 'Email Status', 'Seniority', 'Phone', 'Corporate Phone', 'Stage', 'Lists', '# Employees', 'Industry', 'Person Linkedin Url',
	'Website', 'City', 'State', 'Country', 'Apollo Contact Id');
my @ZOOMINFO = (
	'ZoomInfo Contact ID', 'Last Name', 'First Name', 'Middle Name', 'Job Title', 'Management Level', 'Direct Phone Number', 'Email Address', 'Mobile phone',
	'Direct Phone Do Not Call', 'Mobile Phone Do Not Call', 'Contact Accuracy Score', 'Last Updated Date', 'Person Street', 'Person City', 'Person State', 'Person Zip Code', 'Country',
	'LinkedIn Contact Profile URL', 'Company Name', 'Website', 'Company HQ Phone', 'Revenue (in 000s USD)', 'Employees', 'Primary Industry');

sub new ($class, $seed = 1)
{
	return $class->SUPER::new(random => Simulator::Seed->new($seed * 7 + 3));
}

# Make $count rows of both files.  %share: exact and fuzzy are the shares of
# rows that are duplicates of those kinds.
sub make ($self, $count, %share)
{
	my ($exact, $fuzzy) = map { POSIX::floor($count * ($share{$_} // 0) + 0.5) } qw(exact fuzzy);
	my $flags = $share{flags} // int($count / 200);
	my $people = $count - $exact - $fuzzy;
	my $crowd = $count >= 100 ? int($count * 3 / 100) : 0;

	my $plain = $people - $fuzzy - 2 * $flags;
	die "the shares leave too few rows for people\n" if $plain < 1;
	$crowd = 300 if $crowd > 300;
	$crowd = 0 if $crowd > $plain / 2;
	my $pairs = int(($plain - $crowd) / 50);

	$self->_crowd($crowd);
	$self->_person(plain => $self->_company) for 1 .. $plain - $crowd - 2 * $pairs;
	my @plain = grep { $_->{kind} eq 'plain' } @{ $self->people };
	for my $i (1 .. $pairs)
	{
		$self->_homonym($plain[ $i % @plain ]);
		$self->_two_mails($plain[ -$i % @plain ]);
	}
	$self->_row($_, $self->random->below(2)) for @{ $self->people };
	$self->_row_without_mail for 1 .. $fuzzy;
	$self->_flagged($_) for 1 .. $flags;
	my @copied = grep { $_->{email} ne '' && $_->{kind} =~ /^(?:plain|crowd|fuzzy)\z/ } @{ $self->people };
	$self->_copy($copied[ $self->random->below(scalar @copied) ]) for 1 .. $exact;
	return $self->_settle;
}

# -------------------------------------------------------------------- people

sub _word ($self)
{
	my $random = $self->random;

	return ucfirst join '', map { $random->pick(@ONSETS) . $random->pick(@VOWELS) . $random->pick(@CODAS) } 1 .. 3;
}

# A new company, or one of those that have room for some more people.
sub _company ($self)
{
	my $random = $self->random;
	my $open = $self->{open} //= [];

	return $open->[ $random->below(scalar @$open) ] if @$open > 3 && $random->chance(70);
	my $word = $self->_word;
	$word = $self->_word while $self->_seen_like(words => $word, 0.3);
	my $branch = $random->pick(@BRANCHES);
	my $country = $random->pick(@PLACES);
	my $company = {
		base => "$word $branch", suffix => $random->pick(@SUFFIXES), domain => lc "$word.example", place => $country, employees => 10 * (1 + $random->below(400)),
		industry => $random->pick(@INDUSTRIES), phone => $self->_phone($country->[2]), names => [], street => sprintf("%d %s Street", 1 + $random->below(200), $random->pick(@STREETS)),
	};
	push @$open, $company;
	shift @$open if @$open > 25;
	return $company;
}

# A number that nobody else has, in E.164.
sub _phone ($self, $country)
{
	my ($code, $digits) = @{ $CALLING_CODES{$country} };
	my $number;

	do
	{
		my $area = { 1 => '415', 44 => '207', 49 => '893' }->{$code} + $self->random->below(60);
		$number = sprintf '+%d%s%07d', $code, $area, 2_000_000 + $self->random->below(7_999_999);
	} while $self->{phones}{$number}++;
	return $number;
}

# A name unlike those of the company's other people, for which $accept is true.
sub _name ($self, $company, $make)
{
	my ($first, $last);

	for my $try (1 .. 200)
	{
		($first, $last) = $make->($try);
		last if !grep { similarity("$first $last", $_) >= 0.5 } @{ $company->{names} };
	}
	push @{ $company->{names} }, "$first $last";
	return ($first, $last);
}

sub _any_name ($self, $try)
{
	my $random = $self->random;

	return @{ $random->pick(@OTHER_SCRIPTS) } if $random->chance(2) && $try == 1;
	# A crowd needs more names than there are.
	return ($random->pick(@FIRST), $try > 20 ? $self->_word : $random->pick(@LAST));
}

# A name that nobody else has anything like.
sub _rare_name ($self, $first)
{
	my ($last, $name);

	do
	{
		$last = join '-', $self->_word, $self->_word;
		$name = "$first $last";
	} while $self->_seen_like(names => $name, 0.45);
	return ($first, $last);
}

# Whether a name of this kind was made before that is as similar as $limit; if
# not, it is remembered.
sub _seen_like ($self, $kind, $name, $limit)
{
	my $index = $self->{seen}{$kind} //= {};
	my %trigrams = trigrams($name);
	my %shared;

	for my $trigram (keys %trigrams) { $shared{$_}++ for @{ $index->{$trigram} // [] } }
	# So many are shared at least where the similarity is that high.
	my $least = $limit * keys %trigrams;
	return 1 if grep { $shared{$_} >= $least && similarity($name, $_) >= $limit } keys %shared;
	push @{ $index->{$_} }, $name for keys %trigrams;
	return 0;
}

# The local part of an address: letters of the name, as people have them.
sub _local ($self, $first, $last)
{
	my ($f, $l) = map { Mojo::Util::encode('UTF-8', lc) =~ s/[^a-z]//gr } $first, $last;

	return 'p' . (1000 + $self->random->below(9000)) if $f eq '' || $l eq '';
	return $self->random->pick("$f.$l", "$f.$l", substr($f, 0, 1) . $l, "${f}_$l");
}

sub _address ($self, $local, $domain)
{
	my $address = "$local\@$domain";

	$address = $local . $self->random->below(100_000) . "\@$domain" while $self->{addresses}{ plain_address($address) };
	$self->{addresses}{ plain_address($address) } = 1;
	return $address;
}

# Add a person of some kind to a company; %given overrides what is made up.
sub _person ($self, $kind, $company, %given)
{
	my $random = $self->random;
	my ($first, $last) = $given{first} ? @given{qw(first last)} : $self->_name($company, sub ($try) { $self->_any_name($try) });
	my $private = !$given{phone} && $random->chance(12);
	my $person = {
		id => sprintf('P%06d', 1 + @{ $self->people }), kind => $kind, company => $company, first => $first, last => $last, title => $random->pick(@TITLES),
		phone => $private || $random->chance(75) ? $self->_phone($company->{place}[2]) : '', private => $private, dnc => $random->chance(6) && $kind eq 'plain' && !$private ? 1 : 0,
		linkedin => 'https://www.linkedin.com/in/' . $random->uuid, %given,
	};

	$person->{email} //= $self->_address($self->_local($first, $last), $private ? $random->pick('gmail.com', 'googlemail.com') : $company->{domain});
	push @{ $self->people }, $person;
	return $person;
}

# Employees of one company who all have the number of its switchboard.
sub _crowd ($self, $count)
{
	return if !$count;
	my $company = $self->_company;

	$self->{open} = [];
	$self->_person(crowd => $company, phone => $company->{phone}) for 1 .. $count;
}

# Somebody else with the same name, at another company.
sub _homonym ($self, $person)
{
	my $company = $self->_company;

	$company = $self->_company while $company == $person->{company} || grep { similarity("$person->{first} $person->{last}", $_) >= 0.5 } @{ $company->{names} };
	push @{ $company->{names} }, "$person->{first} $person->{last}";
	@$person{qw(alike dnc)} = (1, 0);
	$person->{phone} ||= $self->_phone($person->{company}{place}[2]);
	$self->_person(homonym => $company, first => $person->{first}, last => $person->{last}, phone => $self->_phone($company->{place}[2]));
}

# A colleague with a like name, another e-mail and another phone.
sub _two_mails ($self, $person)
{
	my $company = $person->{company};
	my $first = $person->{first} =~ /^(.+)[a-z]\z/ ? $1 : "$person->{first}a";

	@$person{qw(alike dnc)} = (1, 0);
	$person->{phone} ||= $self->_phone($company->{place}[2]);
	push @{ $company->{names} }, "$first $person->{last}";
	$self->_person(two_mails => $company, first => $first, last => $person->{last}, phone => $self->_phone($company->{place}[2]));
}

# ---------------------------------------------------------------------- rows

# Add a row for a person to file 0 (Apollo) or 1 (ZoomInfo).
sub _row ($self, $person, $file, %changes)
{
	push @{ $self->rows }, { person => $person, file => $file, kind => $person->{kind}, %$person{qw(first last title email phone dnc)}, company => $person->{company}{base} . $person->{company}{suffix}, %changes };
}

# A person of whom one file has the e-mail and one has not.
sub _row_without_mail ($self)
{
	my $random = $self->random;
	my $company = $self->_company;
	my $person = $self->_person(fuzzy => $company, $self->_rare(@FIRST), phone => $self->_phone($company->{place}[2]));
	my $file = $random->below(2);
	my %changes = (email => '', kind => 'fuzzy', company => $self->_respelt_company($company), title => $person->{title});

	# Only letters whose other case every locale knows.
	@changes{qw(first last)} = map { uc } @$person{qw(first last)} if "$person->{first}$person->{last}" !~ /[^\x20-\x7e]/ && $random->chance(30);
	$changes{first} = "  $changes{first} " if defined $changes{first} && $random->chance(50);
	$self->_row($person, $file);
	$self->_row($person, $random->chance(85) ? 1 - $file : $file, %changes);
	my $score = score([ '', "$person->{first} $person->{last}", $person->{phone}, $company->{base} ], [ $person->{email}, ($changes{first} // $person->{first}) . " " . ($changes{last} // $person->{last}), $person->{phone}, plain_company($changes{company}) ]);
	die "a fuzzy duplicate scores only $score\n" if $score < 0.965;
}

sub _rare ($self, @first)
{
	my ($first, $last) = $self->_rare_name($self->random->pick(@first));

	return (first => $first, last => $last);
}

# The same company with another suffix or another case, or a plural lost.
sub _respelt_company ($self, $company)
{
	my $random = $self->random;
	my $name = $company->{base};

	$name = uc $name if $random->chance(20);
	$name =~ s/s\z//i if $random->chance(20) && length $name > 14;
	return $name . $random->pick(@SUFFIXES);
}

# Two people, or one with two spellings: only a human can tell.
sub _flagged ($self, $number)
{
	my $random = $self->random;
	my $company = $self->_company;
	my @spellings = @{ $random->pick(@SPELLINGS) };
	my $phone = $self->_phone($company->{place}[2]);
	my ($one, $other);

	for my $try (1 .. 1000)
	{
		my %name = $self->_rare($spellings[0]);
		my @mails = map { lc s/%/$name{last}/r . "\@$company->{domain}" } $spellings[0] . '.%', substr($spellings[0], 0, 1) . '%';
		($one, $other) =
		  $number % 2
		  ? ({ %name, email => $mails[0] }, { %name, first => $spellings[1], email => '' })
		  : ({ %name, email => $mails[0] }, { %name, email => $mails[1] });
		my $score = score(map { [ $_->{email}, "$_->{first} $_->{last}", $phone, $company->{base} ] } $one, $other);
		last if $score > 0.815 && $score < 0.935;
		die "no pair to flag\n" if $try == 1000;
		@spellings = @{ $random->pick(@SPELLINGS) };
	}
	$self->{addresses}{ plain_address($_->{email}) } = 1 for grep { $_->{email} ne '' } $one, $other;
	my @people = map { $self->_person(flag => $company, %$_, phone => $phone, title => 'Buyer') } $one, $other;
	my $file = $random->below(2);

	$self->_row($people[$_], $_ ? 1 - $file : $file, like => $people[ 1 - $_ ]) for 0, 1;
}

# The same person again, with the same e-mail otherwise written.
sub _copy ($self, $person)
{
	my $random = $self->random;
	my ($local, $domain) = split /@/, $person->{email};
	my %changes = (kind => 'exact');

	if ($domain =~ /^(?:gmail|googlemail)\.com\z/)
	{
		$local = join '.', split /(?<=^.{2})/, $local =~ tr/.//dr if $random->chance(60);
		$local .= '+' . $random->pick(qw(news apollo work)) if $random->chance(40);
		$domain = $random->pick('gmail.com', 'googlemail.com');
	}
	my $address = "$local\@$domain";
	$address = $random->pick(uc $address, ucfirst $address, $address);
	$address = $random->pick(" $address", "$address ", "\t$address", $address) if $random->chance(30);
	$changes{email} = $address;
	$changes{title} = $random->pick(@TITLES, '') if $random->chance(40);
	$changes{company} = $self->_respelt_company($person->{company}) if $random->chance(40);
	# Not of one whom only the phone tells from somebody with a like name or a
	# like address at the same mail provider.
	if (!$person->{alike} && !$person->{private})
	{
		$changes{phone} = '' if $random->chance(20);
		$changes{first} = substr($person->{first}, 0, 1) . '.' if $person->{kind} eq 'plain' && $random->chance(10);
	}
	$self->_row($person, $random->below(2), %changes);
}

# Shuffle the rows, number them, and say of each what is to become of it.
sub _settle ($self)
{
	my $rows = $self->rows;

	for my $i (reverse 1 .. $#$rows)
	{
		my $j = $self->random->below($i + 1);
		@$rows[ $i, $j ] = @$rows[ $j, $i ];
	}
	my (@number, %seen);
	# Of two that are to be flagged the later row is.
	for my $row (sort { $a->{file} <=> $b->{file} } @$rows)
	{
		$row->{number} = ++$number[ $row->{file} ];
		$row->{other} = $row->{like} if $row->{like} && $seen{ $row->{like}{id} };
		$row->{expect} = $seen{ $row->{person}{id} }++ ? 'merge' : $row->{other} ? 'flag' : 'distinct';
	}
	return $self;
}

# --------------------------------------------------------------------- files

# A phone number as people write it; Americans leave the country code out.
sub _written ($self, $phone)
{
	return '' if $phone eq '';
	my ($code, $area, $number) = $phone =~ /^\+(1|44|49)(\d{3})(\d{7})\z/;
	my ($a, $b) = $number =~ /^(...)(....)/;
	my @forms = ("+$code $area $a $b", "+$code-$area-$a-$b", "+$code ($area) $a-$b", "+$code$area$number", "+$code.$area.$a.$b");

	push @forms, $code == 1 ? ("($area) $a-$b", "$area-$a-$b", "1-$area-$a-$b") : ("00$code $area $a$b");
	return $self->random->pick(@forms);
}

sub _apollo ($self, $row)
{
	my $random = $self->random;
	my $company = $row->{person}{company};

	return (
		@$row{qw(first last title company email)}, $row->{email} eq '' ? 'Unavailable' : $random->pick('Verified', 'Verified', 'Extrapolated', 'Likely to engage'),
		$random->pick('Manager', 'Director', 'C-Suite', ''), $self->_written($row->{phone}), $random->chance(50) ? $self->_written($company->{phone}) : '', $random->pick('Cold', 'Approaching', 'Replied'),
		$random->pick('', 'Q4, outreach', "Trade fair\nhall 3"), $company->{employees}, $company->{industry}, $row->{person}{linkedin}, "http://www.$company->{domain}", @{ $company->{place} }[ 0 .. 2 ],
		$random->uuid =~ s/-//gr);
}

sub _zoominfo ($self, $row)
{
	my $random = $self->random;
	my $company = $row->{person}{company};
	my $mobile = $row->{phone} ne '' && $row->{kind} eq 'plain' && $random->chance(25);
	my $phone = $self->_written($row->{phone});

	return (
		1_000_000_000 + $random->below(900_000_000), @$row{qw(last first)}, $random->pick('', '', 'J.', 'Maria'), $row->{title}, $random->pick('C-Level', 'Director', 'Manager', 'Non-Manager'), $mobile ? '' : $phone,
		$row->{email}, $mobile ? $phone : '', map({ $row->{dnc} ? 'Yes' : 'No' } 1, 2), 70 + $random->below(30), sprintf('%d/%d/2026 %d:%02d PM', 1 + $random->below(9), 1 + $random->below(28), 1 + $random->below(11), $random->below(60)),
		$random->chance(20) ? "$company->{street},\nSuite " . $random->below(90) : $company->{street}, @{ $company->{place} }[ 0, 1, 3, 2 ], $row->{person}{linkedin}, $row->{company}, "www.$company->{domain}",
		$random->chance(80) ? $self->_written($company->{phone}) : '', 250 * $company->{employees}, $company->{employees}, $company->{industry});
}

sub _csv (@fields)
{
	return join(',', map { /[",\r\n]|^\s|\s\z/ ? '"' . s/"/""/gr . '"' : $_ } @fields) . "\n";
}

# Write apollo.csv, zoominfo.csv and truth.csv into a directory.
sub write ($self, $directory)
{
	my @names = ('apollo.csv', 'zoominfo.csv');
	my @texts = (_csv(@APOLLO), _csv(@ZOOMINFO));
	my $truth = _csv(qw(file row person expect kind other));

	for my $row (sort { $a->{file} <=> $b->{file} || $a->{number} <=> $b->{number} } @{ $self->rows })
	{
		$texts[ $row->{file} ] .= _csv($row->{file} ? $self->_zoominfo($row) : $self->_apollo($row));
		$truth .= _csv($names[ $row->{file} ], $row->{number}, $row->{person}{id}, $row->{expect}, $row->{kind}, $row->{other} ? $row->{other}{id} : '');
	}
	_spew("$directory/$_->[0]", $_->[1]) for [ $names[0], $texts[0] ], [ $names[1], $texts[1] ], [ 'truth.csv', $truth ];
	return $self->counts;
}

sub _spew ($file, $text)
{
	open my $out, '>:raw', $file or die "$file: $!\n";
	print $out Mojo::Util::encode('UTF-8', $text);
	close $out or die "$file: $!\n";
}

# How many there are: rows of each file, people, rows by what is to become of them.
sub counts ($self)
{
	my %counts = (rows => scalar @{ $self->rows }, people => scalar @{ $self->people }, apollo => 0, zoominfo => 0, merge => 0, flag => 0, distinct => 0);

	for my $row (@{ $self->rows })
	{
		$counts{ $row->{expect} }++;
		$counts{ $row->{file} ? 'zoominfo' : 'apollo' }++;
	}
	return \%counts;
}

# ------------------------------------------------------------------ the rule

# The trigrams of a text, as pg_trgm has them.
sub trigrams ($text)
{
	my %trigrams;

	for my $word (lc($text) =~ /(\w+)/g)
	{
		my $padded = "  $word ";
		$trigrams{ substr $padded, $_, 3 } = 1 for 0 .. length($padded) - 3;
	}
	return %trigrams;
}

sub similarity ($one, $other)
{
	my (%one, %other);
	%one = trigrams($one);
	%other = trigrams($other);
	my $shared = grep { $other{$_} } keys %one;

	return $shared ? $shared / (keys(%one) + keys(%other) - $shared) : 0;
}

# The score of two rows [e-mail, name, phone, company]; undef with fewer than
# two fields that both have.
sub score ($one, $other)
{
	my @weights = (0.4, 0.3, 0.2, 0.1);
	my ($sum, $total, $fields) = (0, 0, 0);

	for my $i (grep { $one->[$_] ne '' && $other->[$_] ne '' } 0 .. 3)
	{
		$sum += $weights[$i] * ($i == 2 ? $one->[$i] eq $other->[$i] : similarity($one->[$i], $other->[$i]));
		$total += $weights[$i];
		$fields++;
	}
	return $fields < 2 ? undef : $sum / $total;
}

# An e-mail address as it is compared.
sub plain_address ($address)
{
	my ($local, $domain) = split /@/, lc($address =~ s/^\s+|\s+\z//gr), 2;

	return $address if !defined $domain;
	return "$local\@$domain" if $domain !~ /^(?:gmail|googlemail)\.com\z/;
	return $local =~ s/\+.*//r =~ tr/.//dr . '@gmail.com';
}

# A company's name without its suffix.
sub plain_company ($name)
{
	return $name =~ s/(?:,? Inc\.?| LLC| Ltd\.?| GmbH| Corp\.?)\z//ir;
}

1;
