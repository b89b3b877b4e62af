"""Word lists of the recognisers of names and addresses: kinds of street, places, offices, companies' words.

Each list of alternatives is a part of regular expressions and may hold some of their signs. Facts and words only; how
they are used stands in `signature_names` and `street_addresses`.
"""

from __future__ import annotations


def alternatives(text: str) -> str:
    """Join the alternatives of a text of several lines, parted by |, into one line."""
    return "".join(line.strip() for line in text.splitlines())


def words(text: str) -> frozenset[str]:
    """The words of a text of several lines."""
    return frozenset(text.split())


STREETS = alternatives(
    r"""
    street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|way|terrace|ter|circle|cir|
    square|sq|parkway|pkwy|highway|hwy|trail|trl|crescent|cres|close|mews|row|spur|loop|path|run|alley|walk|
    gardens|grove|hill|heights|park|pike|turnpike|point|ridge|cove|crossing|bend|plaza|quay|wharf|gate|green|
    mount|rise|vale|view|parade|esplanade|promenade|strand|wynd|brae|glen|landing|knoll|hollow|meadows?|manor|
    commons|canyon|pass|circuit|crest|chase|fields?|croft|heath|bay|harbou?r|beach|hills?|estates?|garth|drove|
    broadway|county road|route|chome|trace|trce|steps|bypass|overlook|vista|causeway|cswy|expressway|expy|
    freeway|fwy|bluffs?|corners?|creek|falls|forest|shores?|springs|station|summit|valley|village|woods|lakes?|isle|key|
    landing|lookout|mesa|pines|prairie|turn|levee|ferry|common|dale|dell|downs|
    forks?|orchard|passage|plains|shoals?|skyway
    """
)
"""Kinds of street, in English, with their abbreviations."""

FOREIGN_STREETS = alternatives(
    r"""
    rue|via|viale|piazza|corso|rua|avenida|av|calle|carrera|paseo|travessa|largo|strada|ulica|ul|jalan|jl|alameda|
    praça|rodovia|estrada|avda|cours|allée|vicolo|ulitsa|impasse|quai|chemin|place|plaza|camino|rambla|prospekt|
    allee|am|an der|bulevar|boulevard|boul|bd|bld|avenue|ch|route de|rte de|lieu-dit|quinta|moshav|kibbutz|urb|
    urbanización|
    c/|privada|cerrada|callejón|cra|calzada|bulvar|naberezhnaya|pereulok|út|útja|utca|tér|körút|krt|sétány
    """
)
"""Kinds of street that stand before its name, in other languages."""

STREET_ENDINGS = alternatives(
    r"""
    stra(?:ß|ss)e|ufer|damm|ring|str\.|gasse|platz|weg|allee|gracht|straat|laan|plein|kade|gatan|vägen|vej|gade|
    veien|gata|katu|utca|allé|caddesi|sokak|prospekt|tie|kuja|steenweg|dreef|singel|dori|daero|gil
    """
)
"""Kinds of street that end its name, in Germanic languages and others."""

STATE_NAMES = alternatives(
    r"""
    Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|District of Columbia|Florida|
    Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|
    Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|
    North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Puerto Rico|Rhode Island|South Carolina|
    South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming
    """
)
"""States and territories of the United States by name."""

STATES = f"{STATE_NAMES}|{STATE_NAMES.upper()}|" + alternatives(
    r"""
    A[KLRZ]|C[AOT]|
    D\.?C\.?|DE|FL|GA|GU|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N\.[CDHJMY]\.|S\.[CD]\.|R\.I\.|P\.R\.|W\. ?Va\.|Ala|
    Ariz|Ark|Calif|Colo|Conn|Fla|Ill|Ind|Kans?|Mass|Mich|Minn|Miss|Mont|Nebr?|Nev|Okla|Oreg?|Pa|Penn|Tenn|Tex|Vt|
    Va|Wash|Wis|Wyo|Me(?=\.)|Md|Mo|Ky|La|Ga|Del|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|A[AEP]
    """
)
"""States and territories of the United States, by name, postal code and older abbreviation."""

PROVINCES = alternatives(
    r"""
    Alberta|British Columbia|Manitoba|New Brunswick|Newfoundland and Labrador|Newfoundland|Nova Scotia|Ontario|
    Quebec|Québec|Saskatchewan|
    AB|BC|MB|NB|NL|NS|ON|QC|SK|New South Wales|Western Australia|South Australia|Tasmania|Andhra Pradesh|Assam|
    Bihar|Chandigarh|Delhi|Goa|Puducherry|Gujarat|Haryana|
    Karnataka|Kerala|Madhya Pradesh|Maharashtra|Odisha|Punjab|Rajasthan|Tamil Nadu|Telangana|Uttar Pradesh|
    West Bengal|SP|RJ|Victoria|Queensland|NSW|VIC|QLD|
    (?:Co\.|County) (?:Antrim|Armagh|Carlow|Cavan|Clare|Cork|Derry|Donegal|Down|Dublin|Durham|Fermanagh|Galway|Kerry|
    Kildare|Kilkenny|Laois|Leitrim|Limerick|Londonderry|Longford|Louth|Mayo|Meath|Monaghan|Offaly|Roscommon|Sligo|
    Tipperary|Tyrone|Waterford|Westmeath|Wexford|Wicklow)
    """
)
"""Provinces and states of Canada, Australia and other countries, and the counties of Ireland."""

COUNTRIES = alternatives(
    r"""
    Argentina|Australia|Austria|Belgium|Bermuda|Brazil|Bulgaria|Canada|Cayman Islands|Chile|China|Colombia|
    Croatia|Cyprus|Czech Republic|Czechia|Denmark|England|Estonia|Finland|France|Germany|Greece|Hong Kong|
    Hungary|Iceland|India|Indonesia|Ireland|Israel|Italy|Japan|Kenya|Korea|Latvia|Lithuania|Luxembourg|Malaysia|
    Malta|Mexico|México|Monaco|Morocco|(?:the )?Netherlands|New Zealand|Nigeria|Northern Ireland|Norway|Panama|
    Peru|(?:the )?Philippines|Poland|Portugal|Romania|Scotland|Serbia|Singapore|Slovakia|Slovenia|South Africa|
    South Korea|Spain|Sweden|Switzerland|Taiwan|Thailand|Turkey|Türkiye|U\.?K\.?|Ukraine|United Arab Emirates|
    U\.?A\.?E\.?|United Kingdom|Russia|Russian Federation|Egypt|Jordan|Saudi Arabia|Qatar|Kuwait|Bahrain|Oman|Lebanon|
    Pakistan|Bangladesh|Sri Lanka|Nepal|Ghana|Ethiopia|Tanzania|Uganda|Senegal|Tunisia|Algeria|Ecuador|Bolivia|
    Paraguay|Venezuela|Costa Rica|Guatemala|Honduras|El Salvador|Nicaragua|Cuba|Dominican Republic|Haiti|Jamaica|
    (?:the )?Bahamas|Barbados|Liechtenstein|Jersey|Guernsey|Isle of Man|Gibraltar|Andorra|San Marino|Albania|
    Montenegro|Moldova|Belarus|Armenia|Azerbaijan|Kazakhstan|Uzbekistan|Mongolia|Cambodia|Laos|Myanmar|Brunei|
    Macau|Macao|Fiji|Aruba|Curaçao|Syria|Iraq|Afghanistan|Cameroon|Zambia|Zimbabwe|Botswana|Namibia|Mozambique|
    Angola|
    Rwanda|Mauritius|Madagascar|Seychelles|Malawi|Sudan|Belize|Suriname|Guyana|Greenland|Guam|American Samoa|
    (?:British|U\.?S\.?) Virgin Islands|Channel Islands|Hong Kong SAR|Republic of (?:Korea|Ireland)|P\.?R\.? China|
    Martinique|Guadeloupe|Côte d'Ivoire|Ivory Coast|Deutschland|Österreich|Schweiz|España|Italia|Brasil|Sverige|
    Norge|
    Danmark|België|Belgique|Suisse|Svizzera|Nederland|Polska|Suomi|Éire|PRC|P\.R\.C\.|Cymru|Abu Dhabi|Dubai|CDMX|
    [A-Z]\p{Ll}+ State|
    (?:the )?United States(?: of America)?|U\.?S\.?A\.?|USA|Uruguay|Vietnam|Wales
    """
)
"""Countries, in English and some in their own language."""

CITIES = alternatives(
    r"""
    London|Edinburgh|Glasgow|Dublin|Paris|Brussels|Amsterdam|Berlin|Munich|Frankfurt|Hamburg|Vienna|Zurich|Zürich|
    Geneva|Milan|Rome|Madrid|Barcelona|Lisbon|Stockholm|Copenhagen|Oslo|Helsinki|Warsaw|Prague|Budapest|Athens|
    Istanbul|Moscow|Tel Aviv|Jerusalem|Dubai|Mumbai|New Delhi|Bangalore|Bengaluru|Chennai|Kolkata|Kowloon|Shanghai|
    Beijing|Shenzhen|Taipei|Seoul|Tokyo|Osaka|Manila|Bangkok|Jakarta|Kuala Lumpur|Sydney|Melbourne|Auckland|
    Toronto|Montreal|Montréal|Vancouver|Mexico City|São Paulo|Rio de Janeiro|Buenos Aires|Santiago|Bogotá|Lima|
    Johannesburg|Cape Town|Nairobi|Lagos|Cairo|New York|New York City|Brooklyn|Manhattan|Chicago|Los Angeles|
    San Francisco|Boston|Philadelphia|Houston|Dallas|Miami|Seattle|Denver|Atlanta|Detroit|Minneapolis|Las Vegas|
    Baltimore|New Orleans|San Diego|Phoenix|Nashville|Charlotte|Cleveland|Pittsburgh|St\. Louis|Honolulu
    """
)
"""Cities that may end an address without a state or country."""

ROLES = words(
    """
    accountant accountants accounting actuary administrative administrator adviser advisor agent analyst arbitrator
    assistant
    associate attorney attorney-in-fact auditor authorized banking board borrower buyer ceo certified cfo chair
    chairman chairperson chairwoman chief cio clerk compliance consultant controller coo corporate counsel custodian
    deputy development director employee engineer executive executor executrix finance financial founder general
    global governor grantee grantor guarantor guardian head holder hr human human-resources incorporator individual
    individually information interim investment investor its lead legal lender manager managing marketing member
    mediator minister neutral non-executive notary officer operating operations optionee owner participant partner
    people person
    petitioner plaintiff portfolio president presiding principal proprietor purchaser regional registered
    representative resources responsible sales scientific secretary seller senior settlor shareholder signatory
    recruiter recruiting referee signer sole specialist spouse stockholder
    subscriber talent successor supervisor tax technology treasurer treasury trustee
    underwriter vice vp warrantholder witness
    """
)
"""Words of offices and of a party's part."""

OFFICES = words(
    """
    accountant actuary administrator agent arbitrator attorney attorney-in-fact auditor ceo cfo chair chairman
    chairperson
    chairwoman coo controller counsel director executor executrix guardian guarantor incorporator individually
    investor manager mediator member neutral officer partner participant president principal proprietor
    referee representative secretary
    seller settlor shareholder signatory spouse stockholder subscriber treasurer trustee vice witness
    """
)
"""Words of ROLES that name an office or a part by themselves."""

COMPANY_WORDS = words(
    """
    ab academy advisers advisors ag airlines assn associates association authority banc bancorp bank bros brothers
    bv capital co coal college committee companies company corp corporation department electric energy enterprises
    equity exchange finance financial foundation fund funding funds gas gmbh gp group holding holdings hospital
    hotel hotels inc incorporated index industries insurance international investments investors lc limited llc lllp
    llp lp ltd management markets midstream mining mutual nominees nv oil partners partnership pc pharma pharmaceuticals
    plan plc pllc properties pty realty resources sa sarl securities services software solutions spa stock systems
    technologies telecom therapeutics trust university ventures
    """
)
"""Words by which a name is a company's."""

BUSINESS_WORDS = words(
    """
    abstract adjusters advertising aerospace agency airways analytics apartments apparel appliances architects arms
    asphalt automotive aviation bakeries bakery bancshares beverage beverages biologics biomedical biosciences biotech
    boilers brewery brewing broadcasting builders bureau cable cafe cellars cement ceramics chemical chemicals church
    cinemas cleaners clinics coatings commission communications computing concrete condominiums construction
    constructors contracting contractors cooperative copper council creamery credit cruises dairy data dealers dental
    designs devices diagnostics diner diocese distillers distilling distribution distributors electronics endowment
    engineering entertainment environmental equipment escrow ethanol exploration express fabrication farm farms
    fasteners federal federation feeders feeds fertilizer fisheries fixtures fleet foods footwear forestry foundry
    freight furniture gaming genetics genomics graphics grill grocers grocery growers guild hardware haulers health
    healthcare holding imaging implement implements imports indemnity institute instruments insurers interactive
    interiors jewelers journal laboratories labs leasing lending licensing limestone lines liquors loans logistics
    lottery lumber machine machinery mall manufacturing marine markets materials mechanical media medical metals
    milling minerals ministries ministry modular mortgage motel motors municipal museum mutual navigation networks news
    newspapers nurseries nursery operating organics outfitters packaging packers packing paper paving pension petroleum
    pharmacy photonics physicians pictures pipeline plastics plumbing potash poultry power precision press printers
    printing processing processors produce producers productions products propane pub publications publishers
    publishing quarries quarry radio rail railroad railway ranches records recycling refining rentals research resorts
    restaurants retail retirement robotics roofing rubber sanitation savings sawmill school scientific seafoods seeds
    semiconductor semiconductors shipping shipyard shops society solar specialties spirits sporting stables state steel
    storage stores studios supplies supply surgical synagogue tavern telephone television terminals textile textiles
    theaters thrift timber tire title tobacco tool tools tours township toys tractor trading transit transport
    transportation travel treasury trucking turbines underwriters uniforms union uranium utilities veterinary vineyards
    warehouse warehousing waste water welding wholesale wholesalers wineries winery wireless wireline works
    """
)
"""Words that name a business or a public body and are rarely family names."""

FORM_WORDS = words(
    """
    accepted acknowledged address affiliate after agreed agreement all amendment amount and annex approved april as
    attachment august average balance before board box by care certificate certification city class common company
    consent contract corporate county customer customers date dated december delivery desk document each effective
    email ended exchange exhibit factors fax february federal filing first fiscal for form from general hereby his home
    in january joint july june listed mailing march may months name no not notary notice november number october of
    on or page part phone plans policy price proceedings proxy pursuant real registrant registration relations report
    resolution respectfully risk safety schedule seal second section securities september series share shareholders
    shares sheet signature signatures signed signing social staff state statement statements states stock
    stockholders subject summary symbol tax team telephone that the this title to under undersigned united upon
    valued very we whereof with witness year years yours
    """
)
"""Words of forms and filings that begin with a capital there."""
