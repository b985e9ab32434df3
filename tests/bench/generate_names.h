#ifndef KIN_BENCH_GENERATE_NAMES_H
#define KIN_BENCH_GENERATE_NAMES_H
/* What invented people are made of. Words are separated by blanks; commonest first, because the
 * rank in the list decides how often a word is drawn. Common knowledge, taken from no data set. */

/* Given names, women's and men's mixed. */
static const char *const given_names[] = {
    "James Mary John Emma Robert Patricia Michael Jennifer William Linda David Elizabeth Richard "
    "Susan Joseph Jessica Thomas Sarah Charles Karen Christopher Nancy Daniel Lisa Matthew "
    "Margaret "
    "Anthony Betty Mark Sandra Donald Ashley Steven Dorothy Paul Kimberly Andrew Emily Joshua "
    "Donna "
    "Kenneth Michelle Kevin Carol Brian Amanda George Melissa Edward Deborah Ronald Stephanie "
    "Timothy Rebecca Jason Laura Jeffrey Sharon Ryan Cynthia Jacob Kathleen Gary Amy Nicholas "
    "Shirley Eric Angela Stephen Helen Jonathan Anna Larry Brenda Justin Pamela Scott Nicole "
    "Brandon "
    "Samantha Benjamin Katherine Samuel Christine Frank Virginia Gregory Debra Raymond Rachel ",
    "Alexander Janet Patrick Catherine Jack Carolyn Dennis Maria Jerry Heather Tyler Diane Aaron "
    "Julie Jose Joyce Adam Victoria Nathan Kelly Henry Christina Douglas Joan Zachary Evelyn Peter "
    "Lauren Kyle Judith Walter Olivia Ethan Frances Jeremy Martha Harold Cheryl Keith Megan "
    "Christian Andrea Roger Hannah Noah Jacqueline Gerald Ann Carl Jean Terry Alice Sean Kathryn "
    "Austin Gloria Arthur Teresa Lawrence Doris Jesse Sara Dylan Janice Bryan Julia Joe Marie "
    "Jordan Madison Billy Grace Bruce Judy Albert Theresa Willie Beverly Gabriel Denise Logan "
    "Marilyn Alan Amber Juan Danielle Wayne Abigail Roy Brittany Ralph Rose Randy Diana Eugene "
    "Natalie Vincent Sophia Russell Alexis Elijah Lori Louis Kayla Bobby Jane Philip Charlotte ",
    "Johnny Isabella Adrian Ruth Oliver Chloe Harry Zoe Liam Freya Oscar Imogen Alfie Poppy Archie "
    "Florence Theodore Matilda Leo Daisy Isaac Phoebe Max Eleanor Lucas Harriet Mason Beatrice "
    "Edmund Clara Hugo Edith Felix Ivy Jasper Violet Toby Hazel Callum Iris Ewan Maeve Rhys "
    "Bronwen "
    "Owen Sian Gareth Carys Alistair Fiona Duncan Morag Angus Isla Hamish Catriona Declan Niamh "
    "Conor Aoife Cormac Siobhan Brendan Deirdre Fergus Roisin Colm Orla Mohammed Fatima Ali Aisha "
    "Omar Leila Hassan Zainab Yusuf Maryam Ibrahim Khadija Imran Noor Tariq Samira Bilal Yasmin "
    "Ravi Priya Arjun Anjali Vikram Deepa Rahul Sunita Sanjay Meera Amit Kavita Rohan Lakshmi ",
    "Wei Mei Jun Ling Hao Xiu Chen Yan Ming Hui Kenji Yuki Hiroshi Keiko Takeshi Naoko Minh Linh "
    "Anh Thu Piotr Agnieszka Tomasz Katarzyna Marek Zofia Jakub Magdalena Pawel Joanna Krzysztof "
    "Malgorzata Ivan Olga Dmitri Natasha Sergei Svetlana Pavel Irina Mikhail Tatiana Andrei "
    "Ludmila "
    "Carlos Lucia Miguel Carmen Luis Pilar Javier Dolores Diego Consuelo Alejandro Esperanza Pedro "
    "Rosario Manuel Inmaculada Jos\xc3\xa9 Bego\xc3\xb1"
    "a Ra\xc3\xbal Sof\xc3\xad"
    "a Joao Beatriz Tiago Mariana Luigi Giulia Marco Chiara Giovanni Francesca Paolo Valentina "
    "Luca "
    "Elena Hans Ingrid Klaus Ursula Wolfgang Heike J\xc3\xbcrgen Ren\xc3\xa9"
    "e Dieter Gisela Stefan Monika Pierre Am\xc3\xa9lie Fran\xc3\xa7ois C\xc3\xa9line Luc "
    "H\xc3\xa9l"
    "\xc3\xa8ne Henri Margaux Lars Astrid Bj\xc3\xb6rn Sigrid Erik Solveig Anders Ingeborg ",
    "Dimitris Eleni Nikos Sofia Kostas Despina Mehmet Ayse Mustafa Elif Kemal Zeynep David-John "
    "Anne-Marie Jean-Luc Mary-Jane Kwame Ama Kofi Abena Chidi Ngozi Emeka Adaeze Tunde Folake "
    "Sipho "
    "Thandi Tendai Rudo Malcolm Glenys Clive Maureen Nigel Hilary Trevor Beryl Cedric Mavis "
    "Desmond "
    "Muriel Percy Enid Cuthbert Agnes Horace Gertrude Wilfred Ethel Stanley Winifred Norman Elsie "
    "Reginald Mabel Ernest Olive Herbert Nellie Leonard Hilda Cyril Vera Sidney Irene Hubert "
    "Phyllis "
    "Clarence Marjorie Bernard Constance Gilbert Sylvia Rupert Josephine Barnaby Rosalind Crispin "
    "Philippa Tarquin Arabella Lysander Ottoline Ptolemy Cressida Alaric Saffron Caspian Juniper "
    "Zebedee Marigold Orlando Clementine Lorcan Saoirse Padraig Grainne ",
};

/* Short forms: the full name, then its short forms; one full name a line. */
static const char *const nicknames[] = {
    "James Jim Jimmy Jamie",
    "Robert Bob Rob Bobby Robbie",
    "Michael Mike Mick Micky",
    "William Bill Will Liam",
    "David Dave Davy",
    "Richard Dick Rick Richie",
    "Joseph Joe Joey",
    "Thomas Tom Tommy",
    "Charles Charlie Chuck",
    "Christopher Chris Kit",
    "Daniel Dan Danny",
    "Matthew Matt",
    "Anthony Tony",
    "Steven Steve",
    "Andrew Andy Drew",
    "Joshua Josh",
    "Kenneth Ken Kenny",
    "Edward Ed Eddie Ted",
    "Ronald Ron Ronnie",
    "Timothy Tim",
    "Jeffrey Jeff",
    "Nicholas Nick Nicky",
    "Stephen Steve",
    "Jonathan Jon Jonny",
    "Benjamin Ben Benny",
    "Samuel Sam Sammy",
    "Gregory Greg",
    "Raymond Ray",
    "Alexander Alex Sandy",
    "Patrick Pat Paddy",
    "Nathan Nate",
    "Henry Harry Hal",
    "Douglas Doug",
    "Zachary Zach",
    "Peter Pete",
    "Walter Walt",
    "Harold Harry",
    "Lawrence Larry",
    "Albert Al Bert",
    "Philip Phil Pip",
    "Theodore Theo Ted",
    "Leonard Len Lenny",
    "Elizabeth Liz Beth Lizzie Betty",
    "Patricia Pat Trish Patsy",
    "Jennifer Jen Jenny",
    "Susan Sue Susie",
    "Jessica Jess Jessie",
    "Margaret Maggie Meg Peggy",
    "Katherine Kate Kathy Katie",
    "Catherine Cath Cathy",
    "Christine Chris Chrissie",
    "Deborah Deb Debbie",
    "Rebecca Becky Becca",
    "Kimberly Kim",
    "Stephanie Steph",
    "Samantha Sam",
    "Pamela Pam",
    "Victoria Vicky Tori",
    "Jacqueline Jackie",
    "Theresa Terri Tess",
    "Abigail Abby Gail",
    "Eleanor Ellie Nell",
    "Harriet Hattie",
    "Florence Flo Florrie",
    "Matilda Tilly",
    "Beatrice Bea",
    "Josephine Jo Josie",
    "Winifred Win Freddie",
    "Isabella Bella Izzy",
    "Charlotte Lottie Charlie",
    "Alexandra Alex Sandra",
    "Mohammed Mo",
    "Francesca Fran",
    "Katarzyna Kasia",
    "Agnieszka Aga",
    "Magdalena Magda",
    "Alejandro Alex",
    "Krzysztof Krzys",
    "Dorothy Dot Dolly",
    "Frances Fran Fanny",
    "Judith Judy",
    "Gertrude Trudy",
    "Reginald Reg Reggie",
    "Sidney Sid",
};

/* The commonest surnames; the others are stem + ending. */
static const char *const surnames[] = {
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker "
    "White Roberts Green Hall Wood Jackson Clarke Patel Khan Lewis James Phillips Mason Mitchell "
    "Rose Davis Rodriguez Garcia Martinez Miller Anderson Hughes Harris Martin Cooper King Lee "
    "Baker "
    "Harrison Morgan Allen Moore Hill Scott Clark Ward Turner Watson Young Morris Cook Bell Carter "
    "Parker Bennett Collins Shaw Murphy Kelly Kaur Begum Ali Hussain Ahmed Singh Richardson "
    "Simpson "
    "Marshall Ellis Adams Stewart Campbell Murray Mohamed Fox Gray Chapman Mills Powell Webb "
    "Rogers "
    "Gibson Hunt Palmer Holmes Knight Butler Barnes Stevens Lloyd Dixon Fisher Pearson Graham Reid "
    "Ross Henderson Paterson Morrison Watt Fraser MacDonald Cameron Nguyen Wang Li Zhang Chen Liu "
    "Kowalski Nowak M\xc3\xbcller Schmidt Schneider Fischer Weber Rossi Russo Ferrari Silva Santos "
    "Dubois Lef\xc3\xa8vre O'Brien O'Connor O'Neill McCarthy Byrne Ryan Walsh Doyle Gallagher "
    "Quinn "
    "Okafor Adeyemi Mensah Sharma Gupta Kumar Das Chowdhury Islam Rahman Malik Butt Cohen Levy "};
static const char surname_stems[] =
    "Ash Ald Ard Barn Beck Bent Birch Black Blen Brad Bram Bran Brent Brig Brook Broom Burn Cald "
    "Carl Cart Chad Char Chat Chess Chill Clay Cliff Clif Cold Coll Comp Copp Corn Cran Craw Cress "
    "Crom Cros Cum Dal Dan Darn Dean Den Der Dids Dray Dun Dur East Eck Eden Edge Ell Elm Em Er "
    "Ever "
    "Fair Farn Fen Fern Flax Fleet Fox Frod Gar Gate Gild Glen God Gold Gor Grant Gran Grim Grin "
    "Gris "
    "Had Hal Ham Han Hard Har Hart Has Hath Hat Haw Hazel Heath Hed Hel Hen Her Hey Hol Hop Horn "
    "Hough "
    "Hud Hunt Hux Ing Ives Kel Ken Kes Kim Kings Kirk Lamb Lan Lang Lark Lath Law Leck Leigh Len "
    "Light "
    "Lind Lock Long Lud Lyn Maid Mal Man March Mar Mel Mid Mill Mor Moss Nant New Nor North Nut "
    "Oak "
    "Old Or Os Ott Ox Pad Par Peck Pem Pen Pick Pil Plum Pres Quar Rad Ram Rav Red Rich Rip Rock "
    "Rom "
    "Ros Row Rud Rush Rut Sand Sax Sel Shel Ship Sil Skel South Spal Stam Stan Stock Stour Strat "
    "Sut "
    "Swan Tad Tam Tat Thirl Thorn Thur Til Tre Tun Up Wad Wake Wal War Wat Wel Wen Wes Whit Wick "
    "Wil "
    "Win With Wol Wood Wor Wych Yar York Zel Pol Bor Kra Zab Dom Mak Sok Vol Pet";
static const char surname_endings[] =
    "ton ford ley ham well field wood worth by man son er land more wick bury den don stone bridge "
    "shaw gate mouth combe hurst head brook cott croft dale ett wright low ward cliffe burn bourne "
    "thorpe ridge side house smith ing ings ington ingham s erson ell ett-Jones ow ine ski ova ic "
    "enko "
    "escu ez ini ard rell ley-Smith stead tree water lock";

/* Towns: name, postcode area, telephone area; largest first. */
static const struct town {
    const char *name, *postcode, *dial;
} towns[] = {
    {"London", "SW", "020"},
    {"London", "E", "020"},
    {"London", "N", "020"},
    {"London", "SE", "020"},
    {"Birmingham", "B", "0121"},
    {"Manchester", "M", "0161"},
    {"Leeds", "LS", "0113"},
    {"Glasgow", "G", "0141"},
    {"Liverpool", "L", "0151"},
    {"Sheffield", "S", "0114"},
    {"Bristol", "BS", "0117"},
    {"Edinburgh", "EH", "0131"},
    {"Leicester", "LE", "0116"},
    {"Cardiff", "CF", "029"},
    {"Belfast", "BT", "028"},
    {"Nottingham", "NG", "0115"},
    {"Newcastle", "NE", "0191"},
    {"Coventry", "CV", "024"},
    {"Bradford", "BD", "01274"},
    {"Hull", "HU", "01482"},
    {"Stoke-on-Trent", "ST", "01782"},
    {"Wolverhampton", "WV", "01902"},
    {"Plymouth", "PL", "01752"},
    {"Derby", "DE", "01332"},
    {"Southampton", "SO", "023"},
    {"Portsmouth", "PO", "023"},
    {"Brighton", "BN", "01273"},
    {"Reading", "RG", "0118"},
    {"Northampton", "NN", "01604"},
    {"Luton", "LU", "01582"},
    {"Aberdeen", "AB", "01224"},
    {"Bolton", "BL", "01204"},
    {"Norwich", "NR", "01603"},
    {"Swansea", "SA", "01792"},
    {"Milton Keynes", "MK", "01908"},
    {"Dundee", "DD", "01382"},
    {"Sunderland", "SR", "0191"},
    {"Warrington", "WA", "01925"},
    {"Peterborough", "PE", "01733"},
    {"Cambridge", "CB", "01223"},
    {"Oxford", "OX", "01865"},
    {"Exeter", "EX", "01392"},
    {"Gloucester", "GL", "01452"},
    {"York", "YO", "01904"},
    {"Ipswich", "IP", "01473"},
    {"Blackpool", "FY", "01253"},
    {"Middlesbrough", "TS", "01642"},
    {"Blackburn", "BB", "01254"},
    {"Preston", "PR", "01772"},
    {"Huddersfield", "HD", "01484"},
    {"Telford", "TF", "01952"},
    {"Bournemouth", "BH", "01202"},
    {"Chelmsford", "CM", "01245"},
    {"Colchester", "CO", "01206"},
    {"Slough", "SL", "01753"},
    {"Watford", "WD", "01923"},
    {"Crawley", "RH", "01293"},
    {"Basingstoke", "RG", "01256"},
    {"Cheltenham", "GL", "01242"},
    {"Maidstone", "ME", "01622"},
    {"Rochdale", "OL", "01706"},
    {"Worthing", "BN", "01903"},
    {"Doncaster", "DN", "01302"},
    {"Bath", "BA", "01225"},
    {"Chester", "CH", "01244"},
    {"Darlington", "DL", "01325"},
    {"Durham", "DH", "0191"},
    {"Halifax", "HX", "01422"},
    {"Harrogate", "HG", "01423"},
    {"Hereford", "HR", "01432"},
    {"Lancaster", "LA", "01524"},
    {"Lincoln", "LN", "01522"},
    {"Perth", "PH", "01738"},
    {"Inverness", "IV", "01463"},
    {"Salisbury", "SP", "01722"},
    {"Shrewsbury", "SY", "01743"},
    {"Stirling", "FK", "01786"},
    {"Swindon", "SN", "01793"},
    {"Taunton", "TA", "01823"},
    {"Torquay", "TQ", "01803"},
    {"Truro", "TR", "01872"},
    {"Wakefield", "WF", "01924"},
    {"Wigan", "WN", "01942"},
    {"Worcester", "WR", "01905"},
    {"Wrexham", "LL", "01978"},
    {"Bangor", "LL", "01248"},
    {"Carlisle", "CA", "01228"},
    {"Dumfries", "DG", "01387"},
    {"Kirkcaldy", "KY", "01592"},
    {"Paisley", "PA", "0141"},
    {"Motherwell", "ML", "01698"},
    {"Kilmarnock", "KA", "01563"},
    {"Galashiels", "TD", "01896"},
    {"Llandrindod Wells", "LD", "01597"},
    {"Kirkwall", "KW", "01856"},
    {"Lerwick", "ZE", "01595"},
};

static const char street_names[] =
    "High Station Main Park Church Victoria Green Manor Kings Queens Albert Grange York Windsor "
    "Springfield George Alexandra Broadway Mill Stanley School New London North South West East "
    "Chester Oak Elm Cedar Poplar Chestnut Willow Beech Highfield Richmond Woodland Orchard Meadow "
    "Hawthorn Laurel Lime Primrose Bridge River Castle Abbey Priory Temple Cross Market Union "
    "Nelson "
    "Wellington Churchill Clarence Regent Cambridge Oxford Devonshire Sussex Norfolk Balmoral "
    "Grove";
static const char street_kinds[] =
    "Street Road Avenue Lane Close Drive Way Gardens Crescent Terrace Place Court Grove Walk";

/* Reserved for examples (RFC 2606), so no address can be anyone's. */
static const char mail_domains[] =
    "gmail.example hotmail.example outlook.example yahoo.example icloud.example btinternet.example "
    "live.example aol.example sky.example virgin.example talk.example proton.example gmx.example "
    "post.example mail.example web.example fast.example zen.example plus.example work.example "
    "college.example school.example nhs.example council.example shop.example studio.example";

#endif
